/*
 * Cuts the power of a mounted ext4: from then on nothing more reaches the disk, not even the journal, so all data that
 * are not on the disk yet are lost.
 *
 *   gcc -O2 -o power-cut power-cut.c
 *   ./power-cut /the/mount/point
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>

/* EXT4_IOC_SHUTDOWN and EXT4_GOING_FLAGS_NOLOGFLUSH of the kernel; the C library's headers do not define them. */
#define SHUTDOWN _IOR('X', 125, uint32_t)
#define WITHOUT_FLUSHING_THE_JOURNAL 2

int main(int count, char **arguments) {
  uint32_t how = WITHOUT_FLUSHING_THE_JOURNAL;
  int directory = count == 2 ? open(arguments[1], O_RDONLY | O_DIRECTORY) : -1;
  if (directory == -1 || ioctl(directory, SHUTDOWN, &how) == -1) {
    perror("power-cut");
    return 1;
  }
  return 0;
}

/*
 * Simulates a slow disk: every fsync and fdatasync takes SLOW_FSYNC_MS milliseconds longer.
 *
 *   gcc -shared -fPIC -O2 -o slow-fsync.so slow-fsync.c
 *   SLOW_FSYNC_MS=5 LD_PRELOAD=./slow-fsync.so program
 *
 * SQLite calls one or the other, depending on its build. The real call follows, so durability does not change.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static void wait_for_the_disk(void) {
  const char *given = getenv("SLOW_FSYNC_MS");
  long milliseconds = given ? atol(given) : 5;
  struct timespec left = {milliseconds / 1000, (milliseconds % 1000) * 1000000L};
  while (nanosleep(&left, &left) == -1 && errno == EINTR) {
  }
}

static int slowly(const char *name, int file) {
  int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
  wait_for_the_disk();
  return real(file);
}

int fsync(int file) { return slowly("fsync", file); }

int fdatasync(int file) { return slowly("fdatasync", file); }

/*
 * Simulates a disk that lies: fsync and fdatasync return at once and write nothing.
 *
 *   gcc -shared -fPIC -O2 -o lying-fsync.so lying-fsync.c
 *   LD_PRELOAD=./lying-fsync.so program
 *
 * This is the control for the power cuts: a server on such a disk must lose something, or the power cuts prove
 * nothing.
 */
int fsync(int file) {
  (void)file;
  return 0;
}

int fdatasync(int file) {
  (void)file;
  return 0;
}

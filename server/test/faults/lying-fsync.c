/*
 * Simulates a lying disk: fsync and fdatasync return success without writing anything.
 *
 *   gcc -shared -fPIC -O2 -o lying-fsync.so lying-fsync.c
 *   LD_PRELOAD=./lying-fsync.so program
 *
 * The control of the power-cut test: on such a disk a server must lose changes, or the test could not detect a loss.
 */
int fsync(int file) {
  (void)file;
  return 0;
}

int fdatasync(int file) {
  (void)file;
  return 0;
}

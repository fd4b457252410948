/* XFS loses the last part of a block when a direct append begins in the middle of it and the file shares blocks with another.
 *
 * usage: cc -static -O1 -o xfs-direct-append xfs-direct-append.c && ./xfs-direct-append DIRECTORY-ON-XFS-WITH-REFLINK [RUNS]
 * exit status: 1 data was lost, 0 it was not, 3 it cannot be tried here
 *
 * One process, one call after the other: 6 KiB are written and synced, a clone of the file is made, 4 KiB are appended with
 * O_APPEND | O_DIRECT. Bytes 4096..6143, which nobody has written since, are then zero (or what the new block held before).
 *
 * Why: a direct write that is not aligned to the file system's blocks must not go to a file with shared blocks, since a part of a
 * block cannot be unshared; XFS then uses buffered I/O. It tests the alignment of iocb->ki_pos. Of an O_APPEND write that is the
 * descriptor's position (0 here): the end of file takes its place later, under the lock. So the write counts as aligned, is
 * done out of place, and the block's first half is not copied to its new place.
 *
 * Found by `ordeal kernel run --fs=xfs` (seed 1017; lost-write: final read vs append). Evidence: README.md. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <unistd.h>

enum { kBlock = 4096, kPart = 1024, kParts = 6 };

static int Cannot(const char* what) {
  fprintf(stderr, "%s: %s\n", what, strerror(errno));
  return 3;
}

/* 1: bytes were lost, 0: they were not, 3: it could not be tried. *zeros: zeros took the place of all of them. */
static int Try(void* memory, int* zeros) {
  const int fd = open("xfs-direct-append.a", O_RDWR | O_CREAT | O_EXCL, 0600);
  const int clone = open("xfs-direct-append.b", O_RDWR | O_CREAT | O_EXCL, 0600);
  const int append = open("xfs-direct-append.a", O_WRONLY | O_APPEND | O_DIRECT);
  unlink("xfs-direct-append.a");
  unlink("xfs-direct-append.b");
  if (fd < 0 || clone < 0 || append < 0) return Cannot("open");
  char written[kParts * kPart];  /* random: what a freed block holds from an earlier run is not taken for it */
  if (getrandom(written, sizeof(written), 0) != (ssize_t)sizeof(written)) return Cannot("getrandom");
  for (int i = 0; i < kParts; ++i) {
    if (write(fd, written + i * kPart, kPart) != kPart) return Cannot("write");
  }
  if (fsync(fd) != 0 || ioctl(clone, FICLONE, fd) != 0) return Cannot("fsync and clone");
  memset(memory, 'D', kBlock);
  if (write(append, memory, kBlock) != kBlock) return Cannot("direct append");
  char seen[kParts * kPart];
  if (pread(fd, seen, sizeof(seen), 0) != (ssize_t)sizeof(seen)) return Cannot("read");
  close(fd), close(clone), close(append);
  *zeros = 1;
  for (size_t i = kBlock; i < sizeof(seen); ++i) *zeros &= seen[i] == 0;
  return memcmp(seen, written, sizeof(seen)) != 0;
}

int main(int argc, char** argv) {
  if (argc < 2 || chdir(argv[1]) != 0) return Cannot("usage: xfs-direct-append DIRECTORY [RUNS]");
  const int runs = argc > 2 ? atoi(argv[2]) : 1;
  void* memory = NULL;
  if (posix_memalign(&memory, kBlock, kBlock) != 0) return Cannot("memory");
  int lost = 0, with_zeros = 0;
  for (int run = 0; run < runs; ++run) {
    int zeros = 0;
    const int answer = Try(memory, &zeros);
    if (answer > 1) return answer;
    lost += answer;
    with_zeros += answer && zeros;
  }
  printf("bytes that were written, synced and not touched since are lost in %d of %d runs; in their place: zeros in %d, in %d what the "
         "new block held before\n", lost, runs, with_zeros, lost - with_zeros);
  return lost > 0;
}

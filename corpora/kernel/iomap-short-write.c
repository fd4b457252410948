/* A write that the kernel cuts short shows freed memory: bytes of a page that nobody has written or zeroed can be read from the file.
 *
 * usage: cc -static -O1 -o iomap-short-write iomap-short-write.c && ./iomap-short-write DIRECTORY-ON-XFS [RUNS]
 * exit status: 1 freed memory showed, 0 it did not, 3 it cannot be tried here
 *
 * No privileges. To recognise what it reads, the program fills memory of its own with a mark and gives it back first. Then it
 * writes 3072 bytes into a hole, from a buffer of which only the first 2048 are mapped: write returns 2048, rightly. The
 * 1024 bytes behind them, which must be zero, are what the page held before it came into the page cache.
 *
 * Why: iomap's write_begin zeroes what of a new block lies outside the write, leaves the inside to the copy, and marks the block up to
 * date at once. A copy that ends early is refused only while the folio is not up to date; here it is, so that the part that
 * was neither zeroed nor copied stays as it was. The code for buffer heads zeroes that part (ext4 does not show it).
 *
 * Found by `ordeal kernel run --fs=xfs` (torn: final read vs punch-hole, words of a program's memory). Evidence: README.md. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { kPage = 4096, kMapped = 2048, kAsked = 3072, kMark = 'S' };
static const size_t kMarkedBytes = 8u << 20;

static int Cannot(const char* what) {
  fprintf(stderr, "%s: %s\n", what, strerror(errno));
  return 3;
}

static void* Map(size_t bytes) { return mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); }

/* How many bytes that must be zero were not, and how many of these have the mark; -1: it could not be tried. */
static int Run(int fd, int* marked) {
  char* freed = Map(kMarkedBytes);
  char* buffer = Map(2 * kPage);
  if (freed == MAP_FAILED || buffer == MAP_FAILED) return -1;
  memset(freed, kMark, kMarkedBytes);
  munmap(freed, kMarkedBytes);
  memset(buffer, 'W', kPage);
  munmap(buffer + kPage, kPage);
  if (ftruncate(fd, 0) != 0 || ftruncate(fd, 2 * kPage) != 0) return -1;
  const ssize_t written = pwrite(fd, buffer + kPage - kMapped, kAsked, kPage);
  munmap(buffer, kPage);
  char seen[kPage];
  if (pread(fd, seen, kPage, kPage) != kPage) return -1;
  int wrong = 0;
  for (int i = written < 0 ? 0 : (int)written; i < kPage; ++i) {
    wrong += seen[i] != 0;
    *marked += seen[i] == kMark;
  }
  return wrong;
}

int main(int argc, char** argv) {
  if (argc < 2 || chdir(argv[1]) != 0) return Cannot("usage: iomap-short-write DIRECTORY [RUNS]");
  const int asked = argc > 2 ? atoi(argv[2]) : 100;
  const int fd = open("iomap-short-write", O_RDWR | O_CREAT | O_EXCL, 0600);
  unlink("iomap-short-write");
  if (fd < 0) return Cannot("open");
  int runs = 0;
  int wrong = 0;
  int marked = 0;
  for (int i = 0; i < asked; ++i) {
    const int bytes = Run(fd, &marked);
    if (bytes < 0) return Cannot("run");
    wrong += bytes;
    runs += bytes > 0;
  }
  printf("%d of %d runs show bytes that nobody wrote: %d, of them %d of memory that was freed\n", runs, asked, wrong, marked);
  return wrong > 0;
}

/* A direct write that fails in part leaves a stale page in the cache: reads of the cache and of the device disagree until it is evicted.
 *
 * usage: cc -static -O1 -pthread -o direct-write-error direct-write-error.c && ./direct-write-error DIRECTORY [RUNS]
 * exit status: 1 cache and device disagree, 0 they do not, 3 it cannot be tried here
 *
 * A direct write of two blocks has a buffer whose second page is not mapped. The first block reaches the device, the call returns EFAULT.
 * Before that somebody read the first block, and the page cache has what was there before. To have that read at the right
 * moment, the buffer's first page arrives late (userfaultfd, which for faults of the kernel needs privileges); any slow page would do.
 *
 * Why: a direct write drops the cached pages of its range before it goes to the device, and once more when it is done. iomap (xfs, ext4)
 * and the older direct I/O (ocfs2) do the second only if there was no error, though a part of the write may have been done. The caller
 * knows that the range is undefined; all others go on reading the old data, and one day, when memory is short, the new, with no write
 * between. GFS2 and btrfs forbid page faults, so that the write ends short and without an error, or is undone.
 *
 * Entry B17b of the catalogue (docs/bugs.md), a hypothesis of the model. Evidence: README.md. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { kPage = 4096, kBytes = 2 * kPage };

struct Run {
  int fd;          /* through the cache */
  int faults;      /* the userfaultfd */
  char* buffer;    /* of the direct write: one page that arrives late, one that is not mapped */
  char* new_data;  /* the late page */
};

static int Cannot(const char* what) {
  fprintf(stderr, "%s: %s\n", what, strerror(errno));
  return 3;
}

/* When the direct write waits for its buffer: reads the first block through the cache, then lets the page arrive. */
static void* ReadThenServe(void* argument) {
  struct Run* run = argument;
  struct uffd_msg message;
  char seen[kPage];
  if (read(run->faults, &message, sizeof(message)) != sizeof(message)) return NULL;
  if (pread(run->fd, seen, kPage, 0) != kPage) perror("read");
  struct uffdio_copy copy = {.dst = (unsigned long)run->buffer, .src = (unsigned long)run->new_data, .len = kPage};
  if (ioctl(run->faults, UFFDIO_COPY, &copy) != 0) perror("UFFDIO_COPY");
  return NULL;
}

static int PrepareBuffer(struct Run* run) {
  run->faults = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
  struct uffdio_api api = {.api = UFFD_API};
  if (run->faults < 0 || ioctl(run->faults, UFFDIO_API, &api) != 0) return -1;
  run->buffer = mmap(NULL, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (run->buffer == MAP_FAILED || munmap(run->buffer + kPage, kPage) != 0) return -1;
  struct uffdio_register range = {.range = {.start = (unsigned long)run->buffer, .len = kPage}, .mode = UFFDIO_REGISTER_MODE_MISSING};
  return ioctl(run->faults, UFFDIO_REGISTER, &range);
}

/* 1: cache and device disagree, 0: they do not, -1: it could not be tried. */
static int Try(struct Run* run, int direct, char* aligned, int number, ssize_t* result, int* error) {
  char cached[kPage], later[kPage];
  memset(aligned, 'o', kBytes);
  if (pwrite(direct, aligned, kBytes, 0) != kBytes || PrepareBuffer(run) != 0) return -1;
  posix_fadvise(run->fd, 0, 0, POSIX_FADV_DONTNEED);
  memset(run->new_data, 'A' + number % 26, kPage);
  pthread_t reader;
  if (pthread_create(&reader, NULL, ReadThenServe, run) != 0) return -1;
  *result = pwrite(direct, run->buffer, kBytes, 0);
  *error = errno;
  pthread_join(reader, NULL);
  munmap(run->buffer, kPage);
  close(run->faults);
  if (pread(run->fd, cached, kPage, 0) != kPage || pread(direct, aligned, kPage, 0) != kPage) return -1;
  posix_fadvise(run->fd, 0, 0, POSIX_FADV_DONTNEED);
  if (pread(run->fd, later, kPage, 0) != kPage) return -1;
  return memcmp(cached, aligned, kPage) != 0 && memcmp(cached, later, kPage) != 0;
}

int main(int argc, char** argv) {
  if (argc < 2 || chdir(argv[1]) != 0) return Cannot("usage: direct-write-error DIRECTORY [RUNS]");
  const int runs = argc > 2 ? atoi(argv[2]) : 1000;
  struct Run run = {.fd = open("direct-write-error", O_RDWR | O_CREAT | O_EXCL, 0600)};
  const int direct = open("direct-write-error", O_RDWR | O_DIRECT);
  unlink("direct-write-error");
  void* memory = NULL;
  if (run.fd < 0 || direct < 0 || posix_memalign(&memory, kPage, kBytes + kPage) != 0) return Cannot("open");
  run.new_data = (char*)memory + kBytes;
  memset(memory, 'o', kBytes);
  if (write(run.fd, memory, kBytes) != kBytes || fsync(run.fd) != 0) return Cannot("write");
  int disagree = 0;
  ssize_t result = 0;
  int error = 0;
  for (int i = 0; i < runs; ++i) {
    const int answer = Try(&run, direct, memory, i, &result, &error);
    if (answer < 0) return Cannot("run");
    disagree += answer;
  }
  printf("the write returned %zd (%s); in %d of %d runs the cache disagreed with the device and later changed without a write\n", result,
         result < 0 ? strerror(error) : "no error", disagree, runs);
  return disagree > 0;
}

// GFS2 deadlocks when one thread maps a file that another one reads past the cache.
//
//   cc -O2 -Wall -pthread -o gfs2-mmap-direct-read gfs2-mmap-direct-read.c && ./gfs2-mmap-direct-read /mnt/gfs2
//
// Exit status 1: the two threads wait for each other (they cannot be killed, the file system cannot be unmounted); 0: they went on for
// 60 s; 2: it cannot run here.
//
// mmap(2) calls gfs2_mmap() with mmap_lock held for writing, and that asks for the inode's glock, shared, to update the access
// time (with any option but noatime). A direct read holds the glock in the state "deferred", which no shared holder may join, while it
// pins its buffer. Where a page of the buffer is not there yet, pinning takes mmap_lock for reading; that the read asks for no
// fault to be served (nofault) comes after. lockdep cannot see it: a glock is no lock of its kinds.
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { kBytes = 64 << 10, kSeconds = 60, kPatience = 15 };

static char path[4096];
static atomic_ulong mapped, read_calls;

static void *map_it(void *unused) {
  int fd = open(path, O_RDWR);
  (void)unused;
  for (;;) {
    void *memory = mmap(NULL, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory != MAP_FAILED) munmap(memory, kBytes);
    atomic_fetch_add(&mapped, 1);
  }
  return NULL;
}

static void *read_it(void *unused) {
  int fd = open(path, O_RDONLY | O_DIRECT);
  void *buffer = mmap(NULL, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  (void)unused;
  for (;;) {
    madvise(buffer, kBytes, MADV_DONTNEED);  // its pages are not there
    if (pread(fd, buffer, kBytes, 0) < 0) perror("pread"), _exit(2);
    atomic_fetch_add(&read_calls, 1);
  }
  return NULL;
}

int main(int argc, char **argv) {
  if (argc != 2) return fprintf(stderr, "usage: %s DIRECTORY\n", argv[0]), 2;
  snprintf(path, sizeof(path), "%s/gfs2-mmap-direct-read.%d", argv[1], (int)getpid());
  int fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
  char *contents = calloc(1, kBytes);
  if (fd < 0 || contents == NULL || write(fd, contents, kBytes) != kBytes || fsync(fd) != 0) return perror(path), 2;
  int direct = open(path, O_RDONLY | O_DIRECT);
  if (direct < 0) return perror("O_DIRECT"), 2;
  pthread_t mapper, reader;
  if (pthread_create(&mapper, NULL, map_it, NULL) != 0 || pthread_create(&reader, NULL, read_it, NULL) != 0) return 2;
  unsigned long maps = 0, reads = 0;
  int still = 0;
  for (int second = 0; second < kSeconds && still < kPatience; ++second) {
    sleep(1);
    const unsigned long now_mapped = atomic_load(&mapped), now_read = atomic_load(&read_calls);
    still = now_mapped == maps && now_read == reads ? still + 1 : 0;
    maps = now_mapped, reads = now_read;
  }
  printf("%lu mappings, %lu direct reads: %s\n", maps, reads, still ? "both threads stand still" : "both threads go on");
  fflush(stdout);
  unlink(path);
  _exit(still >= kPatience ? 1 : 0);
}

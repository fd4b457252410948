/* A direct read waits for mmap_lock while it holds a lock of the file that a page fault waits for: three threads of one process hang.
 *
 * usage: cc -static -O1 -pthread -o mmap-lock-cycle mmap-lock-cycle.c && ./mmap-lock-cycle DIRECTORY [RUNS [SECONDS]]
 * exit status: 1 the threads hung, 0 they did not, 3 it cannot be tried here
 *
 * No privileges, and nothing strange: one thread reads a file with O_DIRECT into memory that it has not touched yet, one stores to a
 * mapping of that file, one maps memory. Each run has SECONDS (10) to hang; then nobody makes a step for 3 seconds. SIGKILL
 * ends it: the thread that maps memory gives up then.
 *
 * Why: the reader holds a lock of the file (gfs2: the inode's glock, deferred; btrfs: the extents of the range) while the kernel looks
 * up the pages of its buffer. That must not fault, and does not, but a page that is not there is looked for with mmap_lock held
 * shared. The fault holds mmap_lock shared and waits for the file's lock; the mapper waits for mmap_lock exclusively, and the
 * reader waits behind it.
 *
 * Entry B74c of the catalogue (docs/bugs.md), a hypothesis of the model. Evidence: README.md. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { kPage = 4096, kPages = 16, kBytes = kPages * kPage, kThreads = 3, kHungSeconds = 3 };

struct Shared {
  atomic_ulong steps[kThreads]; /* of the reader, the one that stores, the one that maps */
  atomic_int error;
};

static struct Shared* shared;
static int direct;
static char* mapping;

static int Cannot(const char* what) {
  fprintf(stderr, "%s: %s\n", what, strerror(errno));
  return 3;
}

static void* Read(void* unused) {
  (void)unused;
  char* buffer = mmap(NULL, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  for (;;) {
    madvise(buffer, kBytes, MADV_DONTNEED);
    if (pread(direct, buffer, kBytes, 0) != kBytes) shared->error = errno ? errno : EIO;
    shared->steps[0]++;
  }
  return NULL;
}

static void* Store(void* unused) {
  (void)unused;
  for (unsigned long i = 0;; ++i) {
    ((volatile char*)mapping)[i % kPages * kPage] = (char)i;
    shared->steps[1]++;
  }
  return NULL;
}

/* The second call takes the mapping's own lock, too, which later kernels take for a fault instead of mmap_lock. */
static void* MapMemory(void* unused) {
  (void)unused;
  for (unsigned long i = 0;; ++i) {
    void* memory = mmap(NULL, kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(memory, kPage);
    madvise(mapping, kBytes, i % 2 ? MADV_RANDOM : MADV_NORMAL);
    shared->steps[2]++;
  }
  return NULL;
}

static void Child(void) {
  void* (*const bodies[kThreads])(void*) = {Read, Store, MapMemory};
  pthread_t thread;
  for (int i = 0; i < kThreads; ++i) pthread_create(&thread, NULL, bodies[i], NULL);
  for (;;) pause();
}

/* Where the threads of `child` are; stacks if we may see them. */
static void PrintThreads(pid_t child) {
  char command[200];
  snprintf(command, sizeof(command),
           "for t in /proc/%d/task/*; do echo \"$t $(cat $t/wchan)\"; head -n 12 $t/stack 2>/dev/null; done", (int)child);
  fflush(stdout);
  if (system(command) != 0) printf("(no stacks)\n");
}

/* After how many tenths of a second the three threads stood still; -1: they did not. */
static int HungAfter(pid_t child, int seconds) {
  unsigned long before[kThreads] = {0};
  int still = 0;
  for (int tenths = 0; tenths < seconds * 10 || still > 0; ++tenths) {
    usleep(100000);
    int moved = 0;
    for (int i = 0; i < kThreads; ++i) {
      const unsigned long now = shared->steps[i];
      moved |= now != before[i];
      before[i] = now;
    }
    still = moved ? 0 : still + 1;
    if (still == kHungSeconds * 10) return tenths + 1 - still;
    if (waitpid(child, NULL, WNOHANG) != 0) return -1;
  }
  return -1;
}

int main(int argc, char** argv) {
  if (argc < 2 || chdir(argv[1]) != 0) return Cannot("usage: mmap-lock-cycle DIRECTORY [RUNS [SECONDS]]");
  const int runs = argc > 2 ? atoi(argv[2]) : 20;
  const int seconds = argc > 3 ? atoi(argv[3]) : 10;
  const int fd = open("mmap-lock-cycle", O_RDWR | O_CREAT | O_EXCL, 0600);
  direct = open("mmap-lock-cycle", O_RDONLY | O_DIRECT);
  unlink("mmap-lock-cycle");
  static char zeros[kBytes];
  if (fd < 0 || direct < 0 || write(fd, zeros, kBytes) != kBytes || fsync(fd) != 0) return Cannot("file");
  mapping = mmap(NULL, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (mapping == MAP_FAILED || shared == MAP_FAILED) return Cannot("mmap");
  int hung = 0;
  for (int run = 0; run < runs; ++run) {
    memset(shared, 0, sizeof(*shared));
    const pid_t child = fork();
    if (child == 0) Child();
    if (child < 0) return Cannot("fork");
    const int tenths = HungAfter(child, seconds);
    hung += tenths >= 0;
    if (tenths >= 0 && hung == 1) PrintThreads(child);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    if (shared->error != 0) return errno = shared->error, Cannot("direct read");
    printf("run %d: %s%d tenths of a second, %lu reads, %lu stores, %lu maps\n", run + 1, tenths >= 0 ? "hung after " : "no hang in ",
           tenths >= 0 ? tenths : seconds * 10, (unsigned long)shared->steps[0], (unsigned long)shared->steps[1],
           (unsigned long)shared->steps[2]);
    fflush(stdout);
  }
  printf("%d of %d runs hung\n", hung, runs);
  return hung > 0;
}

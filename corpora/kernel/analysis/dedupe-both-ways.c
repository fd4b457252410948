/* Two threads dedupe the same pages of two files, with the roles swapped: A into B, and B into A.
 *
 * usage: cc -static -O1 -pthread -o dedupe-both-ways dedupe-both-ways.c && ./dedupe-both-ways DIRECTORY [RUNS [SECONDS]]
 * exit status: 1 the threads hung, 0 they did not, 3 it cannot be tried here
 *
 * Entry B66b of the catalogue (docs/bugs.md): the kernel compares the files page by page with both pages locked, and orders the two by
 * their index; of equal ones, by argument. That would be a deadlock, if all callers did not hold both inodes' locks. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { kPage = 4096, kPages = 16, kBytes = kPages * kPage, kThreads = 2, kHungSeconds = 5 };

struct Shared {
  atomic_ulong done[kThreads];
  atomic_int error;
};

static struct Shared* shared;
static int files[kThreads];

static int Cannot(const char* what) {
  fprintf(stderr, "%s: %s\n", what, strerror(errno));
  return 3;
}

static void* Dedupe(void* argument) {
  const long self = (long)argument;
  union {
    struct file_dedupe_range range;
    char bytes[sizeof(struct file_dedupe_range) + sizeof(struct file_dedupe_range_info)];
  } request;
  for (;;) {
    memset(&request, 0, sizeof(request));
    request.range.src_length = kBytes;
    request.range.dest_count = 1;
    request.range.info[0].dest_fd = files[1 - self];
    if (ioctl(files[self], FIDEDUPERANGE, &request) != 0) shared->error = errno;
    if (request.range.info[0].status < 0) shared->error = -request.range.info[0].status;
    shared->done[self]++;
  }
  return NULL;
}

static void Child(void) {
  pthread_t thread;
  for (long i = 0; i < kThreads; ++i) pthread_create(&thread, NULL, Dedupe, (void*)i);
  for (;;) pause();
}

static int Hung(int seconds) {
  unsigned long before = 0;
  int still = 0;
  for (int i = 0; i < seconds || still > 0; ++i) {
    sleep(1);
    const unsigned long now = shared->done[0] + shared->done[1];
    still = now == before ? still + 1 : 0;
    before = now;
    if (still == kHungSeconds) return 1;
  }
  return 0;
}

int main(int argc, char** argv) {
  if (argc < 2 || chdir(argv[1]) != 0) return Cannot("usage: dedupe-both-ways DIRECTORY [RUNS [SECONDS]]");
  const int runs = argc > 2 ? atoi(argv[2]) : 3;
  const int seconds = argc > 3 ? atoi(argv[3]) : 10;
  static char bytes[kBytes];
  memset(bytes, 'x', kBytes);
  for (int i = 0; i < kThreads; ++i) {
    files[i] = open("dedupe-both-ways", O_RDWR | O_CREAT | O_EXCL, 0600);
    unlink("dedupe-both-ways");
    if (files[i] < 0 || write(files[i], bytes, kBytes) != kBytes || fsync(files[i]) != 0) return Cannot("file");
  }
  shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) return Cannot("mmap");
  int hung = 0;
  unsigned long done = 0;
  for (int run = 0; run < runs; ++run) {
    const pid_t child = fork();
    if (child == 0) Child();
    if (child < 0) return Cannot("fork");
    hung += Hung(seconds);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    if (shared->error != 0) return errno = shared->error, Cannot("FIDEDUPERANGE");
  }
  for (int i = 0; i < kThreads; ++i) done += shared->done[i];
  printf("%d of %d runs hung; %lu calls, %d pages each\n", hung, runs, done, kPages);
  return hung > 0;
}

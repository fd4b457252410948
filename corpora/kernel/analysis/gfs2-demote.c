/* GFS2: stores, or appends, while the file's glock is demoted all the time, as another node would demand it.
 *
 * usage: cc -static -O1 -pthread -o gfs2-demote gfs2-demote.c && ./gfs2-demote DIRECTORY [RUNS [SECONDS]]
 * exit status: 1 a store or an append was lost, 0 none was, 3 it cannot be tried here (not GFS2, not root)
 *
 * /sys/fs/gfs2/NAME/demote_rq does to a glock what a message of another node does; one thread writes to it all the time. In the first
 * half of a run another stores counters to the pages of a shared mapping, and looks whether the last value is still there: the pages are
 * written back, dropped and read again in between. In the second half it appends records whose buffer has to be faulted in, and all of
 * them must be there at the end.
 *
 * Entries of the catalogue (docs/bugs.md): B47 (gfs2_page_mkwrite marks the page dirty after it has given the glock back: a demotion
 * just there finds it clean and drops it), B65 and hole (a) of V6 (an append with the end of file from before the glock was lost). */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { kPage = 4096, kPages = 64, kRecord = 512 };

static atomic_int stop;
static unsigned long done, lost; /* stores, then appends */
static long faults;
static atomic_ulong demotions;
static int fd, source_fd, demote_fd;

static int Cannot(const char* what) {
  fprintf(stderr, "%s: %s\n", what, strerror(errno));
  return 3;
}

static void* Store(void* unused) {
  (void)unused;
  unsigned long last[kPages] = {0};
  volatile char* mapping = mmap(NULL, kPages * kPage, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  for (unsigned page = 0; mapping != MAP_FAILED && !stop; page = (page + 1) % kPages) {
    volatile unsigned long* cell = (volatile unsigned long*)(mapping + page * kPage);
    const unsigned long seen = *cell;
    if (seen != last[page]) printf("store lost: %lu was stored, %lu is there\n", last[page], seen);
    lost += seen != last[page];
    *cell = last[page] = ++done;
  }
  struct rusage use;
  getrusage(RUSAGE_THREAD, &use);
  faults = use.ru_minflt + use.ru_majflt;
  munmap((void*)mapping, kPages * kPage);
  return NULL;
}

/* Each record is the record's number, over and over; its buffer is a mapping of another file, whose page is dropped before. */
static void* Append(void* unused) {
  (void)unused;
  unsigned long* buffer = mmap(NULL, kPage, PROT_READ | PROT_WRITE, MAP_SHARED, source_fd, 0);
  while (buffer != MAP_FAILED && !stop) {
    for (size_t i = 0; i < kRecord / sizeof(*buffer); ++i) buffer[i] = done + 1;
    madvise(buffer, kPage, MADV_DONTNEED);
    if (write(fd, buffer, kRecord) != kRecord) perror("append");
    ++done;
  }
  munmap(buffer, kPage);
  return NULL;
}

static void* Demote(void* unused) {
  (void)unused;
  struct stat status;
  char request[80];
  fstat(fd, &status);
  const int length = snprintf(request, sizeof(request), "2:%llu EX", (unsigned long long)status.st_ino);
  for (; !stop; ++demotions) {
    if (write(demote_fd, request, (size_t)length) != length) perror("demote_rq");
  }
  return NULL;
}

/* Appended records that are not where they must be. */
static unsigned long AppendsLost(void) {
  unsigned long record[kRecord / sizeof(unsigned long)];
  unsigned long missing = 0;
  for (unsigned long i = 0; i < done; ++i) {
    if (pread(fd, record, kRecord, (off_t)i * kRecord) != kRecord) return done - i + missing;
    int wrong = 0;
    for (size_t k = 0; k < kRecord / sizeof(*record); ++k) wrong |= record[k] != i + 1;
    missing += (unsigned long)wrong;
  }
  return missing;
}

static int OpenDemote(void) {
  glob_t found;
  if (glob("/sys/fs/gfs2/*/demote_rq", 0, NULL, &found) != 0 || found.gl_pathc != 1) {
    errno = ENODEV;
    return -1;
  }
  return open(found.gl_pathv[0], O_WRONLY);
}

static int File(int flags) {
  const int file = open("gfs2-demote", O_RDWR | O_CREAT | O_EXCL | flags, 0600);
  unlink("gfs2-demote");
  return file;
}

/* `body` in one thread, the demotions of `fd` in another. */
static void RunBeside(void* (*body)(void*), int seconds) {
  pthread_t threads[2];
  stop = 0;
  done = lost = demotions = 0;
  pthread_create(&threads[0], NULL, body, NULL);
  pthread_create(&threads[1], NULL, Demote, NULL);
  sleep((unsigned)seconds);
  stop = 1;
  for (int i = 0; i < 2; ++i) pthread_join(threads[i], NULL);
}

int main(int argc, char** argv) {
  if (argc < 2 || chdir(argv[1]) != 0) return Cannot("usage: gfs2-demote DIRECTORY [RUNS [SECONDS]]");
  const int runs = argc > 2 ? atoi(argv[2]) : 1;
  const int seconds = argc > 3 ? atoi(argv[3]) : 60;
  demote_fd = OpenDemote();
  if (demote_fd < 0) return Cannot("/sys/fs/gfs2/*/demote_rq: not one GFS2 file system, or not root");
  source_fd = File(0);
  if (source_fd < 0 || ftruncate(source_fd, kPage) != 0) return Cannot("file");
  unsigned long bad = 0;
  for (int run = 0; run < runs; ++run) {
    fd = File(0);
    if (fd < 0 || ftruncate(fd, kPages * kPage) != 0) return Cannot("file");
    RunBeside(Store, seconds / 2);
    bad += lost;
    printf("run %d: %lu of %lu stores (%ld faults) lost beside %lu demotions, ", run + 1, lost, done, faults, (unsigned long)demotions);
    fflush(stdout);
    close(fd);
    fd = File(O_APPEND);
    if (fd < 0) return Cannot("file");
    RunBeside(Append, seconds - seconds / 2);
    lost = AppendsLost();
    bad += lost;
    printf("%lu of %lu appends beside %lu\n", lost, done, (unsigned long)demotions);
    fflush(stdout);
    close(fd);
  }
  return bad > 0;
}

/* GFS2: a direct read of a page into a shared mapping of that very page never ends, and burns a processor.
 *
 * usage: cc -static -O1 -o gfs2-direct-read-own-page gfs2-direct-read-own-page.c && ./gfs2-direct-read-own-page DIRECTORY [RUNS [SECONDS]]
 * exit status: 1 the call did not end in SECONDS (3), 0 it did, 3 it cannot be tried here
 *
 * No privileges. One call of a process of one thread: pread(O_DIRECT) of a file's page into a mapping of that page which has been
 * stored to. Only a deadly signal ends it.
 *
 * Why: GFS2 reads with page faults forbidden, since it holds the inode's glock; when the buffer is not there it drops the glock, makes the
 * buffer's page writable, and tries again. Each attempt begins with writing dirty pages of the range back, which write-protects the
 * buffer: it is not there, again. A direct write falls back to the page cache after two attempts without progress; a read does not.
 *
 * Entry B36 of the catalogue (docs/bugs.md), a hypothesis of the model. Evidence: README.md. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { kPage = 4096 };

static int Cannot(const char* what) {
  fprintf(stderr, "%s: %s\n", what, strerror(errno));
  return 3;
}

/* Of the child: reads the page into itself; exit status 0 if that went well, else errno. */
static void ReadOntoItself(int fd, int direct) {
  char* mapping = mmap(NULL, kPage, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (mapping == MAP_FAILED) _exit(errno);
  mapping[0] = 'm';
  _exit(pread(direct, mapping, kPage, 0) == kPage ? 0 : errno);
}

int main(int argc, char** argv) {
  if (argc < 2 || chdir(argv[1]) != 0) return Cannot("usage: gfs2-direct-read-own-page DIRECTORY [RUNS [SECONDS]]");
  const int runs = argc > 2 ? atoi(argv[2]) : 20;
  const int seconds = argc > 3 ? atoi(argv[3]) : 3;
  const int fd = open("gfs2-direct-read-own-page", O_RDWR | O_CREAT | O_EXCL, 0600);
  const int direct = open("gfs2-direct-read-own-page", O_RDONLY | O_DIRECT);
  unlink("gfs2-direct-read-own-page");
  char page[kPage];
  memset(page, 'd', kPage);
  if (fd < 0 || direct < 0 || write(fd, page, kPage) != kPage || fsync(fd) != 0) return Cannot("file");
  int endless = 0;
  for (int run = 0; run < runs; ++run) {
    const pid_t child = fork();
    if (child < 0) return Cannot("fork");
    if (child == 0) ReadOntoItself(fd, direct);
    int status = 0;
    struct rusage use;
    pid_t ended = 0;
    for (int i = 0; i < seconds * 100 && ended == 0; ++i) {
      usleep(10000);
      ended = wait4(child, &status, WNOHANG, &use);
    }
    if (ended == 0) {
      ++endless;
      kill(child, SIGTERM);
      usleep(500000);
      const int term_ended_it = wait4(child, &status, WNOHANG, &use) != 0;
      kill(child, SIGKILL);
      if (!term_ended_it) wait4(child, &status, 0, &use);
      printf("run %d: not back after %d s, %ld.%02ld s of them in the kernel, %ld faults; SIGTERM %s\n", run + 1, seconds,
             (long)use.ru_stime.tv_sec, (long)use.ru_stime.tv_usec / 10000, use.ru_minflt,
             term_ended_it ? "ended it" : "did not, SIGKILL did");
      fflush(stdout);
    } else if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
      return errno = WEXITSTATUS(status), Cannot("direct read");
    }
  }
  printf("%d of %d calls did not end in %d s\n", endless, runs, seconds);
  return endless > 0;
}

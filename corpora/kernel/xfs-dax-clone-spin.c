/* XFS with DAX: a clone of two files burns a processor for as long as somebody's I/O holds a page of one of them.
 *
 * usage: cc -static -O1 -o xfs-dax-clone-spin xfs-dax-clone-spin.c && ./xfs-dax-clone-spin DIRECTORY-ON-XFS-MOUNTED-WITH-DAX [RUNS]
 * exit status: 1 the clone span, 0 it slept, 3 it cannot be tried here (no DAX, no reflink, no null_blk, not root)
 *
 * Root, and null_blk, for a device that takes a second for a read. A process reads from it, with O_DIRECT, into a DAX mapping of a file:
 * so long the page is pinned. Another clones another file into that one, or the other way round, and must wait for the pin.
 * If the pinned file is the one with the lower inode number, it sleeps; if it is the other, it spins.
 *
 * Why: both files' mmap locks are taken in the order of inode numbers. For the first, XFS sleeps until its pages are free. With the
 * second lock it must not sleep while it holds the first; so it drops both and begins again, at once, as long as there is a busy page.
 * No signal ends that. A real-time task on the processor that has to end the I/O can spin for ever.
 *
 * Entry B69 of the catalogue (docs/bugs.md), a hypothesis of the model. Evidence: README.md. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef MAP_SYNC
#define MAP_SYNC 0x80000
#endif

enum { kPage = 4096 };
#define CONFIGFS "/sys/kernel/config"
#define SLOW CONFIGFS "/nullb/ordeal"

static int Cannot(const char* what) {
  fprintf(stderr, "%s: %s\n", what, strerror(errno));
  return 3;
}

static int Set(const char* attribute, const char* value) {
  char path[200];
  snprintf(path, sizeof(path), SLOW "/%s", attribute);
  const int fd = open(path, O_WRONLY);
  const ssize_t length = (ssize_t)strlen(value);
  const int ok = fd >= 0 && write(fd, value, (size_t)length) == length;
  if (fd >= 0) close(fd);
  return ok ? 0 : -1;
}

/* A device each of whose requests takes a second. */
static int OpenSlowDevice(void) {
  char index[16] = "", path[40];
  mount("none", CONFIGFS, "configfs", 0, NULL); /* perhaps it is mounted already */
  if (mkdir(SLOW, 0700) != 0 || Set("size", "16") != 0 || Set("irqmode", "2") != 0 || Set("completion_nsec", "1000000000") != 0 ||
      Set("power", "1") != 0) {
    return -1;
  }
  const int fd = open(SLOW "/index", O_RDONLY);
  if (fd < 0 || read(fd, index, sizeof(index) - 1) <= 0) return -1;
  close(fd);
  const int device = open("/dev/ordeal", O_RDONLY | O_DIRECT); /* some kernels call it as we did, others by its number */
  if (device >= 0) return device;
  snprintf(path, sizeof(path), "/dev/nullb%d", atoi(index));
  return open(path, O_RDONLY | O_DIRECT);
}

static void RemoveSlowDevice(int device) {
  if (device >= 0) close(device);
  Set("power", "0");
  rmdir(SLOW);
}

struct Times {
  double wall, processor; /* s */
};

static double Seconds(struct timespec time) { return (double)time.tv_sec + (double)time.tv_nsec / 1e9; }

/* How long the clone of `from` into `to` takes while a page of `pinned` is the buffer of a slow read. */
static int CloneBesidePin(int device, char* pinned, int from, int to, struct Times* times) {
  const pid_t reader = fork();
  if (reader == 0) _exit(pread(device, pinned, kPage, 0) == kPage ? 0 : 1);
  if (reader < 0) return -1;
  usleep(200000);
  struct timespec wall[2], processor[2];
  clock_gettime(CLOCK_MONOTONIC, &wall[0]);
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &processor[0]);
  const int cloned = ioctl(to, FICLONE, from);
  const int error = errno;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &processor[1]);
  clock_gettime(CLOCK_MONOTONIC, &wall[1]);
  times->wall = Seconds(wall[1]) - Seconds(wall[0]);
  times->processor = Seconds(processor[1]) - Seconds(processor[0]);
  int status = 0;
  waitpid(reader, &status, 0);
  errno = error;
  return cloned != 0 || status != 0 ? -1 : 0;
}

static int Try(int device, int runs) {
  int files[2];
  struct stat status[2];
  char page[kPage];
  memset(page, 'd', kPage);
  for (int i = 0; i < 2; ++i) {
    files[i] = open("xfs-dax-clone-spin", O_RDWR | O_CREAT | O_EXCL, 0600);
    unlink("xfs-dax-clone-spin");
    if (files[i] < 0 || write(files[i], page, kPage) != kPage || fstat(files[i], &status[i]) != 0) return Cannot("file");
  }
  const int higher = status[1].st_ino > status[0].st_ino;
  int spun = 0;
  for (int run = 0; run < runs; ++run) {
    struct Times times[2];
    for (int k = 0; k < 2; ++k) { /* the lower number's page, then the higher's */
      const int pinned = k == 1 ? higher : 1 - higher;
      char* mapping = mmap(NULL, kPage, PROT_READ | PROT_WRITE, MAP_SHARED_VALIDATE | MAP_SYNC, files[pinned], 0);
      if (mapping == MAP_FAILED) return Cannot("mmap with DAX");
      mapping[0] = (char)run;
      if (CloneBesidePin(device, mapping, files[pinned], files[1 - pinned], &times[k]) != 0) return Cannot("clone or slow read");
      munmap(mapping, kPage);
    }
    const int spins = times[1].wall > 0.3 && times[1].processor > times[1].wall / 2;
    spun += spins;
    printf("run %d: beside a pin of the lower inode's page %.2f s, %.2f s of them on the processor; of the higher's %.2f s, %.2f s\n",
           run + 1, times[0].wall, times[0].processor, times[1].wall, times[1].processor);
    fflush(stdout);
  }
  printf("%d of %d runs span\n", spun, runs);
  return spun > 0;
}

int main(int argc, char** argv) {
  if (argc < 2 || chdir(argv[1]) != 0) return Cannot("usage: xfs-dax-clone-spin DIRECTORY [RUNS]");
  const int device = OpenSlowDevice();
  const int result = device < 0 ? Cannot("null_blk through " SLOW) : Try(device, argc > 2 ? atoi(argv[2]) : 20);
  RemoveSlowDevice(device);
  return result;
}

/* Preloaded, it adds an offset to the wall clock and to nothing else: microseconds, a 64-bit integer
 * in the file that TOLLGATE_WALL_OFFSET names. The file is mapped: what is written to it holds at
 * the next call. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

typedef int (*clock_gettime_call)(clockid_t, struct timespec*);

static const volatile int64_t* offset;
static clock_gettime_call real;

/* POSIX lets a function be looked up this way; ISO C knows no cast for it. */
static void look_up(void) {
  void* found = dlsym(RTLD_NEXT, "clock_gettime");
  memcpy(&real, &found, sizeof real);
}

__attribute__((constructor)) static void begin(void) {
  const char* path = getenv("TOLLGATE_WALL_OFFSET");
  int file = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);
  look_up();
  if (file < 0) return;
  void* map = mmap(NULL, sizeof(int64_t), PROT_READ, MAP_SHARED, file, 0);
  if (map != MAP_FAILED) offset = map;
  close(file);
}

int clock_gettime(clockid_t clock, struct timespec* at) {
  if (real == NULL) look_up();
  int result = real(clock, at);
  if (result != 0 || offset == NULL) return result;
  if (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_COARSE) return result;
  int64_t us = *offset;
  int64_t ns = at->tv_nsec + us % 1000000 * 1000;
  at->tv_sec += us / 1000000;
  if (ns < 0) {
    ns += 1000000000;
    --at->tv_sec;
  } else if (ns >= 1000000000) {
    ns -= 1000000000;
    ++at->tv_sec;
  }
  at->tv_nsec = ns;
  return 0;
}

int gettimeofday(struct timeval* restrict at, void* restrict zone) {
  (void)zone;
  struct timespec now;
  int result = clock_gettime(CLOCK_REALTIME, &now);
  if (result != 0) return result;
  at->tv_sec = now.tv_sec;
  at->tv_usec = now.tv_nsec / 1000;
  return 0;
}

time_t time(time_t* at) {
  struct timespec now;
  if (clock_gettime(CLOCK_REALTIME, &now) != 0) return (time_t)-1;
  if (at != NULL) *at = now.tv_sec;
  return now.tv_sec;
}

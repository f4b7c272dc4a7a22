// SPDX-License-Identifier: Apache-2.0
#include "base/metric_process.h"

#include "base/clock.h"
#include "base/metric.h"
#include "base/text.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

// The start of a small file, as a string; empty when it cannot be read.
static struct span read_start(const char *path, char *buf, size_t cap)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return SPAN_NONE;
    }
    const ssize_t len = read(fd, buf, cap);
    close(fd);
    return len > 0 ? span_of(buf, (size_t)len) : SPAN_NONE;
}

// The `n`-th (from 0) word of `text` as a number; 0 when it is none.
static uint64_t word_number(struct span text, unsigned n)
{
    size_t at = 0;
    for (unsigned i = 0; i < n && at < text.len; at++) {
        i += text.ptr[at] == ' ';
    }
    size_t end = at;
    while (end < text.len && text.ptr[end] != ' ' && text.ptr[end] != '\n') {
        end++;
    }
    uint64_t value = 0;
    return text_u64(span_of(text.ptr + at, end - at), &value) == ERR_OK ? value : 0;
}

static void collect_memory(void)
{
    char buf[128];
    const struct span pages = read_start("/proc/self/statm", buf, sizeof(buf));
    const double page_len = (double)sysconf(_SC_PAGESIZE);
    if (pages.len > 0) {
        metric_gauge(METRIC_PROCESS_VIRTUAL, (double)word_number(pages, 0) * page_len);
        metric_gauge(METRIC_PROCESS_RSS, (double)word_number(pages, 1) * page_len);
    }
}

static void collect_cpu(void)
{
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) == 0) {
        metric_gauge(METRIC_PROCESS_CPU,
                     (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                         (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6);
    }
}

static void collect_fds(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        metric_gauge(METRIC_PROCESS_FDS_MAX, (double)limit.rlim_cur);
    }
    DIR *dir = opendir("/proc/self/fd");
    if (dir == NULL) {
        return;
    }
    unsigned count = 0;
    while (readdir(dir) != NULL) {
        count++;
    }
    closedir(dir);
    // Not counted: `.`, `..` and the directory itself.
    metric_gauge(METRIC_PROCESS_FDS, count > 3 ? count - 3 : 0);
}

// Now, less the time since boot, plus the start in ticks since boot: the 22nd word of /proc/self/stat,
// counted from behind the program's name, which may hold blanks.  Once: it does not change, but the wall
// clock may be set.
static void collect_start(void)
{
    if (metric_value(METRIC_PROCESS_START, SPAN_NONE, SPAN_NONE) > 0) {
        return;
    }
    char stat_buf[1024];
    char uptime_buf[64] = "";
    const struct span stat = read_start("/proc/self/stat", stat_buf, sizeof(stat_buf));
    const struct span uptime = read_start("/proc/uptime", uptime_buf, sizeof(uptime_buf) - 1);
    const char *name_end = stat.len == 0 ? NULL : memrchr(stat.ptr, ')', stat.len);
    if (name_end == NULL || uptime.len == 0) {
        return;
    }
    const size_t left = stat.len - (size_t)(name_end - stat.ptr);
    const double ticks = (double)word_number(span_of(name_end, left), 20);
    const double boot = (double)clock_wall().ms / 1000 - strtod(uptime_buf, NULL);
    metric_gauge(METRIC_PROCESS_START, boot + ticks / (double)sysconf(_SC_CLK_TCK));
}

void metric_process_collect(void)
{
    collect_memory();
    collect_cpu();
    collect_fds();
    collect_start();
}

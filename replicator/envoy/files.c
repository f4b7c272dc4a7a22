// SPDX-License-Identifier: Apache-2.0
#include "replicator/envoy/files.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/keyed.h"
#include "base/log.h"
#include "base/random.h"
#include "base/timers.h"
#include "localmap/map.h"
#include "replicator/envoy/cluster.h"
#include "replicator/envoy/eds.h"
#include "replicator/envoy/endpoints.h"
#include "replicator/envoy/folder.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define RETRY_MS 2000 // after a write that failed

// One service, for ever: its file stays when the service goes.
struct cluster {
    struct keyed_node by_service; // key: tenant 0 service
    struct keyed_node by_file;    // key: the file's name; not in the table when `blocked`
    struct timers_entry due;      // armed: dirty
    struct mono written_at;
    uint64_t hash; // of what was written last
    bool written;
    bool failed;  // the last write
    bool blocked; // another service has the file
    char file[CLUSTER_FILE_LEN];
    char service[];
};

struct envoy_files {
    const struct map *map;
    struct folder folder;
    char *template;
    // --- of whoever calls files_step: the thread, or a test
    struct keyed by_service, by_file;
    struct timers due;
    struct endpoints endpoints;
    struct buf name, scratch, content;
    uint64_t position;
    bool listed;    // the whole map was read once
    bool full_told; // that there are more services than FILES_CLUSTERS_MAX
    // --- shared
    pthread_t thread;
    bool started;      // by files_start, [loop]
    uint32_t map_user; // of a started one
    int wake_fd;
    atomic_bool
        awake; // a wake is on its way; exchanged (acquire, release) by files_wake and the thread
    atomic_bool stop;                        // release in files_free; acquire in the thread
    _Atomic uint64_t written, equal, failed; // relaxed: only counted
    _Atomic uint32_t clusters;
};

static struct cluster *cluster_of_due(struct timers_entry *due)
{
    return (struct cluster *)((char *)due - offsetof(struct cluster, due));
}

// --- made and freed

static enum err tables_init(struct envoy_files *files)
{
    enum err err = keyed_init(&files->by_service, random_u64());
    if (err != ERR_OK) {
        return err;
    }
    err = keyed_init(&files->by_file, random_u64());
    if (err != ERR_OK) {
        keyed_fini(&files->by_service);
    }
    return err;
}

enum err files_new(const struct files_options *options, struct envoy_files **ret_files)
{
    struct envoy_files *files = calloc(1, sizeof(*files));
    if (files == NULL) {
        return ERR_NOMEM;
    }
    files->map = options->backend.map;
    enum err err = ERR_NOMEM;
    files->template = strdup(options->cluster_name);
    if (files->template == NULL) {
        goto free_files;
    }
    err = tables_init(files);
    if (err != ERR_OK) {
        goto free_template;
    }
    err = folder_open(options->dir, &files->folder);
    if (err != ERR_OK) {
        goto fini_tables;
    }
    files->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (files->wake_fd < 0) {
        err = ERR_IO;
        goto close_folder;
    }
    timers_init(&files->due);
    endpoints_init(&files->endpoints);
    buf_init(&files->name, CLUSTER_NAME_MAX);
    buf_init(&files->scratch, EDS_LEN_MAX);
    buf_init(&files->content, EDS_LEN_MAX);
    *ret_files = files;
    return ERR_OK;

close_folder:
    folder_close(&files->folder);
fini_tables:
    keyed_fini(&files->by_file);
    keyed_fini(&files->by_service);
free_template:
    free(files->template);
free_files:
    free(files);
    return err;
}

void files_free(struct envoy_files *files)
{
    if (files == NULL) {
        return;
    }
    if (files->started) {
        atomic_store_explicit(&files->stop, true, memory_order_release);
        files_wake(files);
        int error = pthread_join(files->thread, NULL);
        ASSERT(error == 0);
        map_user_close(files->map, files->map_user);
    }
    buf_fini(&files->content);
    buf_fini(&files->scratch);
    buf_fini(&files->name);
    endpoints_fini(&files->endpoints);
    struct keyed_node *node = NULL;
    while ((node = keyed_pop(&files->by_service)) != NULL) {
        free((struct cluster *)node); // its first member
    }
    timers_fini(&files->due);
    (void)close(files->wake_fd);
    folder_close(&files->folder);
    keyed_fini(&files->by_file);
    keyed_fini(&files->by_service);
    free(files->template);
    free(files);
}

// --- clusters

static struct log_field log_service(const struct cluster *cluster)
{
    struct span key = cluster->by_service.key;
    struct key parsed;
    bool valid = key_parse(key, &parsed) == ERR_OK;
    return log_str("service", valid ? parsed.service : key);
}

// Gives it the file of its cluster's name, unless another service has that.
static enum err take_file(struct envoy_files *files, struct cluster *cluster)
{
    enum err err = cluster_name(span_str(files->template), cluster->by_service.key, &files->name);
    if (err == ERR_NOMEM) {
        return err;
    }
    if (err == ERR_OK) {
        cluster_file_name(buf_span(&files->name), cluster->file);
        cluster->by_file.key = span_str(cluster->file);
        cluster->blocked = keyed_find(&files->by_file, cluster->by_file.key) != NULL;
    } else {
        cluster->blocked = true;
    }
    if (cluster->blocked) {
        log_event(LOG_WARN, "envoy-file-refused", log_service(cluster),
                  log_text("file", cluster->file),
                  log_text("reason", err == ERR_OK ? "another service has this file"
                                                   : "the cluster's name is too long"));
    } else {
        keyed_add(&files->by_file, &cluster->by_file);
    }
    return ERR_OK;
}

static enum err cluster_new(struct envoy_files *files, struct span service_key,
                            struct cluster **ret_cluster)
{
    if (files->by_service.count >= FILES_CLUSTERS_MAX) {
        if (!files->full_told) {
            log_event(LOG_WARN, "envoy-files-full", log_uint("clusters", FILES_CLUSTERS_MAX));
        }
        files->full_told = true;
        return ERR_FULL;
    }
    struct cluster *cluster = calloc(1, sizeof(*cluster) + service_key.len);
    if (cluster == NULL) {
        return ERR_NOMEM;
    }
    memcpy(cluster->service, service_key.ptr, service_key.len);
    cluster->by_service.key = span_of(cluster->service, service_key.len);
    enum err err = timers_reserve(&files->due);
    if (err == ERR_OK) {
        err = take_file(files, cluster);
        if (err != ERR_OK) {
            timers_release(&files->due);
        }
    }
    if (err != ERR_OK) {
        free(cluster);
        return err;
    }
    keyed_add(&files->by_service, &cluster->by_service);
    atomic_fetch_add_explicit(&files->clusters, 1, memory_order_relaxed);
    *ret_cluster = cluster;
    return ERR_OK;
}

struct marking {
    struct envoy_files *files;
    struct mono now;
    enum err err;
};

static void mark_cluster(struct marking *marking, struct cluster *cluster)
{
    struct mono allowed = mono_add_ms(cluster->written_at, FILES_INTERVAL_MS);
    bool early = cluster->written && allowed.us > marking->now.us;
    if (!cluster->blocked && !timers_armed(&cluster->due)) {
        timers_set(&marking->files->due, &cluster->due, early ? allowed : marking->now);
    }
}

// Marks the cluster of a service dirty, making it when it is new.  The map lists nodes
// too, which are no services.
static void mark_service(struct marking *marking, struct span service_key)
{
    struct key key;
    if (key_parse(service_key, &key) != ERR_OK || key.kind != KEY_POLICY) {
        return;
    }
    struct keyed_node *node = keyed_find(&marking->files->by_service, service_key);
    struct cluster *cluster = (struct cluster *)node; // its first member
    if (cluster == NULL) {
        enum err err = cluster_new(marking->files, service_key, &cluster);
        if (err != ERR_OK) {
            marking->err = err;
            return;
        }
    }
    mark_cluster(marking, cluster);
}

static bool mark_listed(void *arg, const struct map_service *service)
{
    struct marking *marking = arg;
    mark_service(marking, key_span(&service->key));
    return marking->err == ERR_OK;
}

static void mark_held(void *arg, struct keyed_node *node)
{
    mark_cluster(arg, (struct cluster *)node); // its first member
}

// --- what has changed

// Reads everything anew: at the start, and after the changefeed has gone past.
static void read_all(struct marking *marking)
{
    struct envoy_files *files = marking->files;
    files->position = map_index(files->map); // before reading: what changes meanwhile comes again
    keyed_each(&files->by_service, mark_held, marking);
    map_services(files->map, SPAN_NONE, mark_listed, marking);
    files->listed = marking->err == ERR_OK || marking->err == ERR_FULL;
}

static void read_changes(struct marking *marking)
{
    struct envoy_files *files = marking->files;
    struct map_change change;
    enum feed_result result = FEED_OK;
    while (files->listed && result == FEED_OK && marking->err != ERR_NOMEM) {
        result = map_feed_next(files->map, files->position, &change);
        if (result == FEED_OK) {
            mark_service(marking, key_service_prefix(key_span(&change.key)));
            files->position = marking->err == ERR_NOMEM ? files->position : change.index;
        }
    }
    if (!files->listed || result == FEED_LAPPED) {
        read_all(marking);
    }
}

// --- writing

static uint64_t content_hash(struct span content)
{
    return siphash13(siphash_zero_key, content.ptr, content.len);
}

static void tell_write(struct cluster *cluster, enum err err)
{
    if (err != ERR_OK && !cluster->failed) {
        log_event(LOG_WARN, "envoy-file-failed", log_service(cluster),
                  log_text("file", cluster->file), log_err(err));
    } else if (err == ERR_OK && cluster->failed) {
        log_event(LOG_INFO, "envoy-file-written", log_service(cluster),
                  log_text("file", cluster->file));
    }
    cluster->failed = err != ERR_OK;
}

// The content of the cluster's file as it should be now, into files->content.
static enum err make_content(struct envoy_files *files, const struct cluster *cluster)
{
    enum err err = cluster_name(span_str(files->template), cluster->by_service.key, &files->name);
    if (err == ERR_OK) {
        err = endpoints_read(&files->endpoints, files->map, cluster->by_service.key);
    }
    if (err == ERR_OK) {
        err =
            eds_write(&files->endpoints, buf_span(&files->name), &files->scratch, &files->content);
    }
    return err;
}

static void write_cluster(struct envoy_files *files, struct cluster *cluster, struct mono now)
{
    enum err err = make_content(files, cluster);
    struct span content = buf_span(&files->content);
    uint64_t hash = err == ERR_OK ? content_hash(content) : 0;
    bool equal =
        err == ERR_OK && (cluster->written ? cluster->hash == hash
                                           : folder_holds(&files->folder, cluster->file, content));
    if (equal) {
        atomic_fetch_add_explicit(&files->equal, 1, memory_order_relaxed);
    } else if (err == ERR_OK) {
        err = folder_replace(&files->folder, cluster->file, content);
    }
    tell_write(cluster, err);
    if (err != ERR_OK) {
        atomic_fetch_add_explicit(&files->failed, 1, memory_order_relaxed);
        cluster->written = false; // what stands there is not known any more
        timers_set(&files->due, &cluster->due, mono_add_ms(now, RETRY_MS));
        return;
    }
    cluster->hash = hash;
    if (!equal || !cluster->written) {
        cluster->written_at = now;
    }
    cluster->written = true;
    if (!equal) {
        atomic_fetch_add_explicit(&files->written, 1, memory_order_relaxed);
    }
}

static void write_due(struct envoy_files *files, struct mono now)
{
    struct timers_entry *first = timers_first(&files->due);
    while (first != NULL && first->at.us <= now.us &&
           !atomic_load_explicit(&files->stop, memory_order_acquire)) {
        timers_cancel(&files->due, first);
        write_cluster(files, cluster_of_due(first), now);
        first = timers_first(&files->due);
    }
}

int64_t files_step(struct envoy_files *files, struct mono now)
{
    struct marking marking = {files, now, ERR_OK};
    read_changes(&marking);
    write_due(files, now);
    if (marking.err == ERR_NOMEM) {
        return RETRY_MS;
    }
    const struct timers_entry *first = timers_first(&files->due);
    if (first == NULL) {
        return -1;
    }
    int64_t in_ms = (first->at.us - now.us + 999) / 1000;
    return in_ms > 0 ? in_ms : 0;
}

// --- the thread

static void sleep_until_woken(struct envoy_files *files, int64_t timeout_ms)
{
    struct pollfd waiting = {.fd = files->wake_fd, .events = POLLIN};
    uint64_t count = 0;
    (void)poll(&waiting, 1, timeout_ms > INT32_MAX ? INT32_MAX : (int)timeout_ms);
    (void)!read(files->wake_fd, &count, sizeof(count));
    // Before the changefeed is read: what comes after this wakes again; acquires what files_wake released.
    (void)atomic_exchange_explicit(&files->awake, false, memory_order_acq_rel);
}

static void *run(void *arg)
{
    struct envoy_files *files = arg;
    while (!atomic_load_explicit(&files->stop, memory_order_acquire)) {
        sleep_until_woken(files, files_step(files, clock_mono()));
    }
    return NULL;
}

enum err files_start(struct envoy_files *files)
{
    sigset_t all;
    sigset_t before;
    if (files->started) {
        return ERR_OK;
    }
    // Signals are the loop's affair.
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    files->map_user = MAP_USER_OPEN(files->map, "envoy files");
    int error = pthread_create(&files->thread, NULL, run, files);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    files->started = error == 0;
    if (error != 0) {
        map_user_close(files->map, files->map_user);
    }
    return error == 0 ? ERR_OK : ERR_IO;
}

void files_wake(struct envoy_files *files)
{
    const uint64_t one = 1;
    if (!atomic_exchange_explicit(&files->awake, true, memory_order_acq_rel)) {
        (void)!write(files->wake_fd, &one, sizeof(one));
    }
}

void files_counts(const struct envoy_files *files, struct files_counts *ret_counts)
{
    ret_counts->written = atomic_load_explicit(&files->written, memory_order_relaxed);
    ret_counts->equal = atomic_load_explicit(&files->equal, memory_order_relaxed);
    ret_counts->failed = atomic_load_explicit(&files->failed, memory_order_relaxed);
    ret_counts->clusters = atomic_load_explicit(&files->clusters, memory_order_relaxed);
}

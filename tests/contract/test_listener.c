// SPDX-License-Identifier: Apache-2.0
// Listeners on real addresses and paths: what is refused stays as it was, what was made is removed.
#include "base/listener.h"
#include "base/loop.h"
#include "tests/lib/failalloc.h"
#include "tests/lib/loop_wait.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

struct fixture {
    struct loop *loop;
    char dir[32], path[64];
    struct listener_options options;
    unsigned accepted;
    struct listener *free_on_accept;
};

static void on_accept(void *arg, int fd, const struct address *peer)
{
    struct fixture *f = arg;
    CHECK((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
    CHECK((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    CHECK(address_is_loopback(peer));
    f->accepted++;
    close(fd);
    listener_free(f->free_on_accept);
    f->free_on_accept = NULL;
}

static void start(struct fixture *f)
{
    memset(f, 0, sizeof(*f));
    CHECK_OK(loop_new(&f->loop));
    (void)snprintf(f->dir, sizeof(f->dir), "/tmp/mp-listen-XXXXXX");
    CHECK(mkdtemp(f->dir) != NULL);
    (void)snprintf(f->path, sizeof(f->path), "%s/s", f->dir);
    f->options = (struct listener_options){.on_accept = on_accept, .arg = f};
    CHECK_OK(address_unix(span_str(f->path), &f->options.address));
}

static void stop(struct fixture *f)
{
    loop_free(f->loop);
    (void)unlink(f->path);
    CHECK_EQ(rmdir(f->dir), 0);
}

static int dial(const struct address *address)
{
    const void *bytes = &address->storage;
    int fd = socket(address->storage.ss_family, SOCK_STREAM, 0);
    CHECK(fd >= 0);
    CHECK_EQ(connect(fd, bytes, address->len), 0);
    return fd;
}

TEST(port_0_is_replaced_by_the_one_that_was_chosen)
{
    static const char *const texts[] = {"127.0.0.1:0", "[::1]:0"};
    for (size_t i = 0; i < 2; i++) {
        struct fixture f;
        struct listener *listener = NULL;
        start(&f);
        CHECK_OK(address_parse(span_str(texts[i]), &f.options.address));
        enum err err = listener_new(f.loop, &f.options, &listener);
        if (err == ERR_INVALID && i == 1) { // a host without IPv6
            stop(&f);
            continue;
        }
        CHECK_OK(err);
        CHECK(address_port(listener_address(listener)) != 0);
        int fd = dial(listener_address(listener));
        LOOP_WAIT(f.loop, f.accepted == 1);
        close(fd);
        listener_free(listener);
        stop(&f);
    }
}

TEST(an_address_in_use_is_refused)
{
    struct fixture f;
    struct listener *first = NULL;
    struct listener *second = NULL;
    start(&f);
    CHECK_OK(address_parse(SPAN_LIT("127.0.0.1:0"), &f.options.address));
    CHECK_OK(listener_new(f.loop, &f.options, &first));
    f.options.address = *listener_address(first);
    CHECK_EQ(listener_new(f.loop, &f.options, &second), ERR_BUSY);
    CHECK_OK(address_parse(SPAN_LIT("192.0.2.1:0"), &f.options.address));
    CHECK_EQ(listener_new(f.loop, &f.options, &second), ERR_INVALID);
    CHECK(second == NULL);
    listener_free(first);
    stop(&f);
}

TEST(a_unix_socket_has_its_mode_and_is_removed_at_the_end)
{
    struct fixture f;
    struct stat found;
    struct listener *listener = NULL;
    start(&f);
    f.options.unix_mode = 0622;
    mode_t mask = umask(077);
    CHECK_OK(listener_new(f.loop, &f.options, &listener));
    (void)umask(mask);
    CHECK_EQ(lstat(f.path, &found), 0);
    CHECK_UEQ(found.st_mode & 0777, 0622);
    int fd = dial(&f.options.address);
    LOOP_WAIT(f.loop, f.accepted == 1);
    close(fd);
    listener_free(listener);
    CHECK_EQ(lstat(f.path, &found), -1);
    stop(&f);
}

TEST(a_socket_in_use_stays)
{
    struct fixture f;
    struct listener *first = NULL;
    struct listener *second = NULL;
    start(&f);
    CHECK_OK(listener_new(f.loop, &f.options, &first));
    CHECK_EQ(listener_new(f.loop, &f.options, &second), ERR_BUSY);
    int fd = dial(&f.options.address);
    LOOP_WAIT(f.loop, f.accepted >= 1);
    close(fd);
    listener_free(first);
    stop(&f);
}

TEST(a_path_that_is_no_socket_stays)
{
    struct fixture f;
    struct stat found;
    struct listener *listener = NULL;
    start(&f);
    int fd = open(f.path, O_CREAT | O_WRONLY, 0600);
    CHECK(fd >= 0);
    CHECK_EQ(write(fd, "precious", 8), 8);
    close(fd);
    CHECK_EQ(listener_new(f.loop, &f.options, &listener), ERR_EXISTS);
    CHECK_EQ(stat(f.path, &found), 0);
    CHECK_EQ(found.st_size, 8);
    stop(&f);
}

TEST(a_socket_that_somebody_left_behind_is_replaced)
{
    struct fixture f;
    struct listener *listener = NULL;
    start(&f);
    const void *bytes = &f.options.address.storage;
    int left = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK_EQ(bind(left, bytes, f.options.address.len), 0);
    close(left);
    CHECK_OK(listener_new(f.loop, &f.options, &listener));
    int fd = dial(&f.options.address);
    LOOP_WAIT(f.loop, f.accepted == 1);
    close(fd);
    listener_free(listener);
    stop(&f);
}

TEST(somebody_elses_socket_is_not_removed_at_the_end)
{
    struct fixture f;
    struct stat found;
    struct listener *listener = NULL;
    start(&f);
    CHECK_OK(listener_new(f.loop, &f.options, &listener));
    CHECK_EQ(unlink(f.path), 0);
    const void *bytes = &f.options.address.storage;
    int other = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK_EQ(bind(other, bytes, f.options.address.len), 0);
    listener_free(listener);
    CHECK_EQ(lstat(f.path, &found), 0);
    close(other);
    stop(&f);
}

TEST(a_directory_that_is_not_there_is_told)
{
    struct fixture f;
    struct listener *listener = NULL;
    start(&f);
    CHECK_OK(address_unix(SPAN_LIT("/nonexistent/dir/s"), &f.options.address));
    CHECK_EQ(listener_new(f.loop, &f.options, &listener), ERR_NOT_FOUND);
    stop(&f);
}

TEST(a_paused_listener_accepts_after_it_goes_on)
{
    struct fixture f;
    struct listener *listener = NULL;
    start(&f);
    CHECK_OK(listener_new(f.loop, &f.options, &listener));
    listener_pause(listener);
    int fd = dial(&f.options.address);
    for (int i = 0; i < 5; i++) {
        loop_run_once(f.loop, 1);
    }
    CHECK_UEQ(f.accepted, 0);
    listener_resume(listener);
    LOOP_WAIT(f.loop, f.accepted == 1);
    close(fd);
    listener_free(listener);
    stop(&f);
}

TEST(a_listener_may_be_freed_inside_its_callback)
{
    struct fixture f;
    struct stat found;
    start(&f);
    CHECK_OK(listener_new(f.loop, &f.options, &f.free_on_accept));
    int fd = dial(&f.options.address);
    LOOP_WAIT(f.loop, f.accepted == 1);
    CHECK_EQ(lstat(f.path, &found), -1);
    close(fd);
    stop(&f);
}

static unsigned turns_within(struct loop *loop, int64_t ms)
{
    unsigned turns = 0;
    const struct mono end = mono_add_ms(loop_now(loop), ms);
    while (loop_now(loop).us < end.us) {
        loop_run_once(loop, ms);
        turns++;
    }
    return turns;
}

TEST(without_descriptors_it_backs_off_and_then_goes_on)
{
    struct fixture f;
    struct listener *listener = NULL;
    struct rlimit old;
    start(&f);
    CHECK_OK(listener_new(f.loop, &f.options, &listener));
    int fd = dial(&f.options.address);
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &old), 0);
    const struct rlimit none = {3, old.rlim_max};
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
    unsigned turns = turns_within(f.loop, 50);
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &old), 0);
    CHECK_UEQ(f.accepted, 0);
    CHECK(turns < 20); // it does not spin
    LOOP_WAIT(f.loop, f.accepted == 1);
    close(fd);
    listener_free(listener);
    stop(&f);
}

static bool walk(void *arg)
{
    struct fixture *f = arg;
    struct listener *listener = NULL;
    enum err err = listener_new(f->loop, &f->options, &listener);
    listener_free(listener);
    return err == ERR_OK;
}

TEST(every_allocation_may_fail)
{
    struct fixture f;
    struct stat found;
    start(&f);
    CHECK(failalloc_each(walk, &f) >= 3);
    CHECK_EQ(lstat(f.path, &found), -1);
    stop(&f);
}

SUITE("base/listener", T(port_0_is_replaced_by_the_one_that_was_chosen),
      T(an_address_in_use_is_refused), T(a_unix_socket_has_its_mode_and_is_removed_at_the_end),
      T(a_socket_in_use_stays), T(a_path_that_is_no_socket_stays),
      T(a_socket_that_somebody_left_behind_is_replaced),
      T(somebody_elses_socket_is_not_removed_at_the_end), T(a_directory_that_is_not_there_is_told),
      T(a_paused_listener_accepts_after_it_goes_on), T(a_listener_may_be_freed_inside_its_callback),
      T(without_descriptors_it_backs_off_and_then_goes_on), T(every_allocation_may_fail));

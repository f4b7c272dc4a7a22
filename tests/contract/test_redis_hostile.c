// SPDX-License-Identifier: Apache-2.0
// A server that lies.  How: a child greets as a good server does, then answers each command with a valid
// reply in which a few bytes were changed, lost or put in.  Every call must be answered, or followed by DOWN;
// the sanitizers look for the rest.
#include "base/buf.h"
#include "base/random.h"
#include "tests/contract/rig.h"
#include "tests/lib/suite.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS 250
#define E RIG_EPOCH_A
#define SHA(letter) "$40\r\n" letter letter letter letter letter letter letter letter "\r\n"
#define GREETING "+OK\r\n*1\r\n$6\r\nmaster\r\n$20\r\nredis_version:7.0.15\r\n"

// Which command is asked for, and what a good server would say.
struct lie {
    const char *asked, *answer;
};

static const struct lie lies[] = {
    {"ppppp", "*3\r\n$1\r\n5\r\n$1\r\n0\r\n*1\r\n:1\r\n"},
    {"ppppp", "*3\r\n$1\r\n5\r\n$1\r\n0\r\n*1\r\n$24\r\naaaaaaaaaaaaaaaaaaaaaaaa\r\n"},
    {"ppppp", "-MPEPOCH " E "\r\n"},
    {"mmmmm", "*5\r\n$40\r\n" E
              ":4:1:1234\r\n$7\r\n5:1.000\r\n$14\r\n1-0123456789ab\r\n$1\r\n0\r\n$3\r\n5-1\r\n"},
    {"mmmmm", "*5\r\n$-1\r\n$-1\r\n$-1\r\n$-1\r\n$3\r\n0-0\r\n"},
    {"bbbbb",
     "*6\r\n$4\r\n1000\r\n$4\r\n2000\r\n*1\r\n$1\r\nx\r\n*4\r\n$1\r\na\r\n$3\r\n999\r\n$1\r\nb\r\n"
     "$3\r\n998\r\n:1\r\n*2\r\n$1\r\nq\r\n$1\r\nr\r\n"},
    {"HSCAN", "*2\r\n$1\r\n7\r\n*4\r\n$1\r\n!\r\n$1\r\nx\r\n$3\r\na\0b\r\n$"
              "22\r\naaaaaaaaaaaaaaaaaaaaaa\r\n"},
    {"XRANGE", "*1\r\n*2\r\n$3\r\n5-1\r\n*4\r\n$1\r\n#\r\n$51\r\n" E
               ":5:1-0123456789ab:0\r\n$1\r\nk\r\n$1\r\nv\r\n"},
    {"XREAD", "*1\r\n*2\r\n$7\r\n{mp:0}e\r\n*1\r\n*2\r\n$3\r\n5-1\r\n*4\r\n$1\r\n#\r\n$51\r\n" E
              ":5:1-0123456789ab:0\r\n$1\r\nk\r\n$1\r\nv\r\n"},
    {"XREAD", "-UNBLOCKED force unblock\r\n"},
};

static void say(int fd, struct span bytes)
{
    ssize_t sent = send(fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);
    (void)sent; // who has gone meanwhile will not hear it
}

static void greet(int fd, bool is_put)
{
    if (is_put) {
        say(fd, span_str(GREETING "$27\r\nmaxmemory_policy:noeviction\r\n" SHA("ppppp") SHA("mmmmm")
                             SHA("ccccc") SHA("bbbbb") ":1\r\n"));
    } else {
        // No id: CLIENT UNBLOCK is then not to be had, and XREAD blocks for a moment only.
        say(fd, span_str(GREETING ":0\r\n"));
    }
}

// The answer to what was asked, spoilt or (one in four) not.
static void lie(int fd, struct span asked, struct random *random)
{
    char bytes[512];
    const struct lie *chosen = NULL;
    uint32_t fits = 0;
    for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        if (rig_contains(asked, lies[i].asked) && random_below(random, ++fits) == 0) {
            chosen = &lies[i];
        }
    }
    size_t len = chosen == NULL ? 0 : strlen(chosen->answer);
    if (chosen == NULL) {
        say(fd, SPAN_LIT(":1\r\n"));
        return;
    }
    memcpy(bytes, chosen->answer, len);
    for (uint64_t k = random_below(random, 4); k > 0; k--) {
        static const char alphabet[] = "0123456789$*:-+\r\n_#a";
        size_t at = (size_t)random_below(random, len);
        if (random_below(random, 3) > 0) {
            bytes[at] = alphabet[random_below(random, sizeof(alphabet) - 1)];
        } else {
            memmove(bytes + at, bytes + at + 1, len - at - 1);
            len--;
        }
    }
    say(fd, span_of(bytes, len));
}

struct ear {
    bool greeted, is_put;
};

// False: the connection has ended.
static bool hear(int fd, struct ear *ear, struct random *random)
{
    char asked[8192];
    ssize_t len = read(fd, asked, sizeof(asked));
    if (len <= 0) {
        return false;
    }
    if (ear->greeted) {
        lie(fd, span_of(asked, (size_t)len), random);
    } else {
        greet(fd, ear->is_put);
        ear->greeted = true;
    }
    return true;
}

// Two connections: the first that comes is greeted as the put connection.
static void serve_pair(int listener, struct random *random)
{
    struct pollfd fds[2];
    struct ear ears[2] = {{.is_put = true}, {.is_put = false}};
    bool open = true;
    for (int i = 0; i < 2; i++) {
        fds[i] = (struct pollfd){.fd = accept(listener, NULL, NULL), .events = POLLIN};
    }
    while (open && poll(fds, 2, -1) > 0) {
        for (int i = 0; open && i < 2; i++) {
            open = fds[i].revents == 0 || hear(fds[i].fd, &ears[i], random);
        }
    }
    close(fds[0].fd);
    close(fds[1].fd);
}

static _Noreturn void serve(int listener)
{
    struct random random;
    random_seed(&random, 11);
    for (;;) {
        serve_pair(listener, &random);
    }
}

static pid_t start(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    CHECK(strlen(path) < sizeof(address.sun_path));
    memcpy(address.sun_path, path, strlen(path));
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK_EQ(bind(listener, (const struct sockaddr *)&address, sizeof(address)), 0);
    CHECK_EQ(listen(listener, 64), 0);
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        serve(listener);
    }
    close(listener);
    return pid;
}

static void call(struct rig_client *client, enum stream_event_type type)
{
    struct rig_record record;
    const struct stream_epoch epoch = rig_epoch(RIG_EPOCH_A);
    rig_record(&record, "i", 0, 1);
    if (type == STREAM_EV_META) {
        stream_meta(client->stream, 0);
    } else if (type == STREAM_EV_SCAN) {
        stream_scan(client->stream, 0, 0);
    } else if (type == STREAM_EV_PROBE) {
        stream_probe(client->stream, 0, (struct stream_id){5, 1});
    } else if (type == STREAM_EV_PUT) {
        stream_put(client->stream, 0, &epoch, &record.record, 1);
    } else if (type == STREAM_EV_BEAT) {
        stream_beat(client->stream, SPAN_LIT("a"), SPAN_LIT("payload"), 1000);
    } else {
        stream_read(client->stream, 0, (struct stream_id){0}, false);
    }
}

// Waits for the answer or a DOWN, whichever comes.  True: it was answered.
static bool wait_for(struct rig_client *client, enum stream_event_type type)
{
    for (int i = 0; !rig_has(client, type) && !rig_has(client, STREAM_EV_DOWN); i++) {
        ck_assert_msg(i < 4000, "neither an answer of type %d nor DOWN", (int)type);
        rig_redis.pump(client->rig);
    }
    bool answered = rig_has(client, type);
    while (client->first != NULL) { // DOWN, entries: all is told
        rig_skip(client, client->first->event.type);
    }
    return answered;
}

TEST(whatever_a_server_answers_each_call_is_answered_or_followed_by_down)
{
    static const enum stream_event_type types[] = {STREAM_EV_META, STREAM_EV_SCAN, STREAM_EV_PROBE,
                                                   STREAM_EV_PUT,  STREAM_EV_BEAT, STREAM_EV_ENTRY};
    struct rig rig = {.reply_timeout_ms = 40, .backoff_max_ms = 5};
    struct random random;
    struct stream_info info;
    uint32_t answered = 0;
    char path[128];
    char url[160];
    random_seed(&random, 5);
    rig_open(&rig, &rig_redis);
    snprintf(path, sizeof(path), "%s/hostile", rig.redis.dir);
    snprintf(url, sizeof(url), "unix://%s", path);
    rig.url = url;
    pid_t pid = start(path);
    struct rig_client *client = rig_client(&rig);
    for (int i = 0; i < ROUNDS; i++) {
        enum stream_event_type type = types[random_below(&random, 6)];
        stream_info(client->stream, &info);
        if (!info.connected) {
            rig_skip(client, STREAM_EV_UP);
        }
        call(client, type);
        answered += wait_for(client, type) ? 1 : 0;
    }
    ck_assert_msg(answered > ROUNDS / 8 && answered < ROUNDS, "%u answered", answered);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    unlink(path);
    rig_close(&rig);
}
END_TEST

SUITE("contract/redis_hostile",
      T(whatever_a_server_answers_each_call_is_answered_or_followed_by_down));

// SPDX-License-Identifier: Apache-2.0
// The command `top`: looks again and again, and draws each look over the one before; elsewhere than on a
// terminal two looks and one plain picture.
#include "admin-api/ctl/ctl.h"
#include "admin-api/ctl/run.h"
#include "admin-api/ctl/session.h"
#include "admin-api/ctl/top_view.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#define INTERVAL_DEFAULT_MS 2000
#define INTERVAL_MIN_MS 100
#define INTERVAL_MAX_MS 3600000
#define OUTPUT_MAX (16U << 20)
#define ROWS_DEFAULT 24
#define COLUMNS_DEFAULT 80
#define CTRL_C 3
#define CTRL_D 4

#define HOME "\033[H"
#define CLEAR "\033[2J"
#define CLEAR_LINE "\033[K"
#define CLEAR_BELOW "\033[J"
#define PLAIN "\033[0m"

// What a look was made from.
struct documents {
    struct json *map, *nodes;
    struct top_look look;
};

struct run {
    struct session *session;
    int64_t interval_ms;
    struct documents before, now;
};

// --- looking

static void documents_free(struct documents *documents)
{
    json_free(documents->map);
    json_free(documents->nodes);
    *documents = (struct documents){.map = NULL};
}

static int fetch(struct session *session, const char *path, struct json **ret_tree)
{
    const int exit = session_call(session, "GET", path, NULL);
    return exit == CTL_OK ? session_parse(session, ret_tree) : exit;
}

// What was seen last becomes what was seen before.
static int look(struct run *run)
{
    struct documents fresh = {.map = NULL};
    int exit = fetch(run->session, "/debug/map", &fresh.map);
    fresh.look.at = clock_mono();
    if (exit == CTL_OK) {
        exit = fetch(run->session, "/v1/nodes", &fresh.nodes);
    }
    if (exit != CTL_OK) {
        documents_free(&fresh);
        return exit;
    }
    fresh.look.map = fresh.map;
    fresh.look.nodes = fresh.nodes;
    documents_free(&run->before);
    run->before = run->now;
    run->now = fresh;
    return CTL_OK;
}

static int complain_of_memory(void)
{
    session_complain("%s", err_text(ERR_NOMEM));
    return CTL_FAILED;
}

// --- elsewhere than on a terminal

static int print_json(const struct run *run)
{
    struct buf out;
    buf_init(&out, OUTPUT_MAX);
    top_view_json(&run->before.look, &run->now.look, &out);
    const enum err err = out.err;
    if (err == ERR_OK) {
        puts(buf_cstr(&out));
    }
    buf_fini(&out);
    return err == ERR_OK ? CTL_OK : complain_of_memory();
}

static int print_once(struct run *run)
{
    int exit = look(run);
    if (exit == CTL_OK) {
        (void)poll(NULL, 0, (int)run->interval_ms);
        exit = look(run);
    }
    if (exit != CTL_OK) {
        return exit;
    }
    if (run->session->form == SESSION_JSON) {
        return print_json(run);
    }
    const enum err err = top_view(&run->before.look, &run->now.look, run->session->table, stdout);
    return err == ERR_OK ? CTL_OK : complain_of_memory();
}

// --- on a terminal

struct screen {
    int signals;           // a descriptor that becomes readable when the program is to end
    bool reads;            // keys come one by one
    struct termios normal; // as it was
};

static void screen_size(size_t *ret_rows, size_t *ret_columns)
{
    struct winsize size;
    const bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0;
    *ret_rows = known && size.ws_row > 0 ? size.ws_row : ROWS_DEFAULT;
    *ret_columns = known && size.ws_col > 0 ? size.ws_col : COLUMNS_DEFAULT;
}

// Prints so much of the line as has a place; colours take none, nor do the later bytes of a character.
static void print_cut(const char *text, size_t len, size_t columns)
{
    size_t used = 0;
    bool escape = false;
    for (size_t i = 0; i < len; i++) {
        const char c = text[i];
        const bool continued = ((unsigned char)c & 0xc0) == 0x80;
        escape = escape || c == '\033';
        if (!escape && !continued && ++used > columns) {
            break;
        }
        putchar(c);
        escape = escape && c != 'm';
    }
    fputs(PLAIN CLEAR_LINE, stdout);
}

// The last row stays free, for the cursor.
static void draw(const char *text)
{
    size_t rows, columns;
    screen_size(&rows, &columns);
    fputs(HOME, stdout);
    for (size_t row = 1; row < rows && *text != '\0'; row++) {
        const char *end = strchr(text, '\n');
        const size_t len = end == NULL ? strlen(text) : (size_t)(end - text);
        print_cut(text, len, columns);
        putchar('\n');
        text += end == NULL ? len : len + 1;
    }
    fputs(CLEAR_BELOW, stdout);
    (void)fflush(stdout);
}

static int draw_look(const struct run *run)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    if (out == NULL) {
        return complain_of_memory();
    }
    const char *wait = run->before.map == NULL ? "; the first rates come with the next look" : "";
    const struct top_look *before = run->before.map == NULL ? &run->now.look : &run->before.look;
    fprintf(out, "meshpulse top, every %.1fs; q ends it%s\n\n", (double)run->interval_ms / 1000,
            wait);
    const enum err err = top_view(before, &run->now.look, run->session->table, out);
    const bool whole = fclose(out) == 0 && err == ERR_OK;
    if (whole) {
        draw(text);
    }
    free(text);
    return whole ? CTL_OK : complain_of_memory();
}

// Waits until the next look is due.  true: the user, or a signal, wants the end.
static bool wait_for_end(const struct screen *screen, int64_t ms)
{
    struct pollfd fds[] = {{.fd = screen->signals, .events = POLLIN},
                           {.fd = screen->reads ? STDIN_FILENO : -1, .events = POLLIN}};
    const struct mono until = mono_add_ms(clock_mono(), ms);
    for (int64_t left = ms; left > 0; left = mono_ms_between(clock_mono(), until)) {
        if (poll(fds, 2, (int)left) <= 0) {
            continue; // the time is over, or a signal that ends nothing
        }
        char key = 'q'; // also when the terminal has gone
        if (fds[0].revents != 0 || read(STDIN_FILENO, &key, 1) <= 0) {
            return true;
        }
        if (key == 'q' || key == 'Q' || key == CTRL_C || key == CTRL_D) {
            return true;
        }
    }
    return ferror(stdout) != 0;
}

static int watch_it(struct run *run, const struct screen *screen)
{
    int exit = look(run);
    fputs(CLEAR, stdout);
    while (exit == CTL_OK) {
        exit = draw_look(run);
        if (exit != CTL_OK || wait_for_end(screen, run->interval_ms)) {
            return exit;
        }
        exit = look(run);
    }
    return exit;
}

static bool screen_open(struct screen *screen)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    screen->signals = signalfd(-1, &set, SFD_CLOEXEC);
    if (screen->signals < 0 || sigprocmask(SIG_BLOCK, &set, NULL) != 0) {
        return false;
    }
    screen->reads = tcgetattr(STDIN_FILENO, &screen->normal) == 0;
    if (screen->reads) {
        struct termios keys = screen->normal;
        keys.c_lflag &= ~(tcflag_t)(ICANON | ECHO | ISIG);
        (void)tcsetattr(STDIN_FILENO, TCSANOW, &keys);
    }
    return true;
}

static void screen_close(const struct screen *screen)
{
    if (screen->reads) {
        (void)tcsetattr(STDIN_FILENO, TCSANOW, &screen->normal);
    }
    (void)close(screen->signals);
}

static int run_on_terminal(struct run *run)
{
    struct screen screen;
    if (!screen_open(&screen)) {
        session_complain("the terminal cannot be used");
        return CTL_FAILED;
    }
    const int exit = watch_it(run, &screen);
    screen_close(&screen);
    return exit;
}

static int read_interval(struct run *run)
{
    const char *text = session_value(run->session, OPTION_INTERVAL);
    uint64_t ms = INTERVAL_DEFAULT_MS;
    if (text != NULL && (text_duration(span_str(text), &ms) != ERR_OK || ms < INTERVAL_MIN_MS ||
                         ms > INTERVAL_MAX_MS)) {
        return ctl_usage_error(run->session->arguments->command,
                               "--interval: \"%s\" is none; allowed: 100ms to 1h", text);
    }
    run->interval_ms = (int64_t)ms;
    return CTL_OK;
}

int top_run(struct session *session)
{
    struct run run = {.session = session};
    int exit = read_interval(&run);
    if (exit != CTL_OK) {
        return exit;
    }
    const bool once = session_value(session, OPTION_ONCE) != NULL || isatty(STDOUT_FILENO) != 1 ||
                      session->form == SESSION_JSON;
    exit = once ? print_once(&run) : run_on_terminal(&run);
    documents_free(&run.before);
    documents_free(&run.now);
    return exit;
}

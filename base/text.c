// SPDX-License-Identifier: Apache-2.0
#include "base/text.h"

#include "base/assert.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_alnum(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// --- numbers

enum err text_u64(struct span text, uint64_t *ret_value)
{
    if (text.len == 0 || (text.len > 1 && text.ptr[0] == '0')) {
        return ERR_SYNTAX;
    }
    uint64_t value = 0;
    bool overflow = false;
    for (size_t i = 0; i < text.len; i++) {
        if (!is_digit(text.ptr[i])) {
            return ERR_SYNTAX;
        }
        overflow |= __builtin_mul_overflow(value, UINT64_C(10), &value);
        overflow |= __builtin_add_overflow(value, (uint64_t)(text.ptr[i] - '0'), &value);
    }
    if (overflow) {
        return ERR_RANGE;
    }
    *ret_value = value;
    return ERR_OK;
}

enum err text_u64_in(struct span text, uint64_t min, uint64_t max, uint64_t *ret_value)
{
    uint64_t value;
    const enum err err = text_u64(text, &value);
    if (err != ERR_OK) {
        return err;
    }
    if (value < min || value > max) {
        return ERR_RANGE;
    }
    *ret_value = value;
    return ERR_OK;
}

size_t text_u64_format(uint64_t value, char ret_text[TEXT_U64_LEN])
{
    char digits[TEXT_U64_LEN];
    size_t len = 0;
    do {
        digits[len++] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    for (size_t i = 0; i < len; i++) {
        ret_text[i] = digits[len - 1 - i];
    }
    ret_text[len] = '\0';
    return len;
}

size_t text_i64_format(int64_t value, char ret_text[TEXT_I64_LEN])
{
    if (value >= 0) {
        return text_u64_format((uint64_t)value, ret_text);
    }
    char digits[TEXT_U64_LEN];
    const size_t len = text_u64_format(-(uint64_t)value, digits);
    ret_text[0] = '-';
    memcpy(ret_text + 1, digits, len + 1);
    return len + 1;
}

enum err text_bool(struct span text, bool *ret_value)
{
    const bool value = span_eq_str(text, "true");
    if (!value && !span_eq_str(text, "false")) {
        return ERR_SYNTAX;
    }
    *ret_value = value;
    return ERR_OK;
}

// --- numbers with a unit

struct unit {
    const char *name;
    uint64_t factor;
};

static const struct unit duration_units[] = {{"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};
static const struct unit size_units[] = {
    {"GiB", 1u << 30}, {"MiB", 1u << 20}, {"KiB", 1u << 10}, {"B", 1}};

static const struct unit *find_unit(const struct unit *units, struct span name)
{
    for (size_t i = 0; i < 4; i++) {
        if (span_eq_str(name, units[i].name)) {
            return &units[i];
        }
    }
    return NULL;
}

// Digits and a unit; `unit_optional`: digits alone count in the smallest.
static enum err parse_with_unit(struct span text, const struct unit *units, bool unit_optional,
                                uint64_t *ret_value)
{
    size_t digits = 0;
    while (digits < text.len && is_digit(text.ptr[digits])) {
        digits++;
    }
    const struct span name = span_of(text.ptr + digits, text.len - digits);
    const struct unit *unit = find_unit(units, name);
    if (unit == NULL && !(unit_optional && name.len == 0)) {
        return ERR_SYNTAX;
    }
    uint64_t value;
    const enum err err = text_u64(span_of(text.ptr, digits), &value);
    if (err != ERR_OK) {
        return err;
    }
    if (unit != NULL && __builtin_mul_overflow(value, unit->factor, &value)) {
        return ERR_RANGE;
    }
    *ret_value = value;
    return ERR_OK;
}

static size_t format_with_unit(uint64_t value, const struct unit *unit, char *ret_text)
{
    const size_t len = text_u64_format(value / unit->factor, ret_text);
    const size_t name_len = strlen(unit->name);
    memcpy(ret_text + len, unit->name, name_len + 1);
    return len + name_len;
}

enum err text_duration(struct span text, uint64_t *ret_ms)
{
    uint64_t ms;
    const bool zero = span_eq_str(text, "0");
    const enum err err = parse_with_unit(text, duration_units, zero, &ms);
    if (err != ERR_OK) {
        return err;
    }
    if (ms > TEXT_DURATION_MAX_MS) {
        return ERR_RANGE;
    }
    *ret_ms = ms;
    return ERR_OK;
}

size_t text_duration_format(uint64_t ms, char ret_text[TEXT_DURATION_LEN])
{
    const struct unit *unit = ms == 0 ? &duration_units[2] : &duration_units[0];
    while (ms % unit->factor != 0) {
        unit++;
    }
    return format_with_unit(ms, unit, ret_text);
}

enum err text_size(struct span text, uint64_t *ret_len)
{
    return parse_with_unit(text, size_units, true, ret_len);
}

size_t text_size_format(uint64_t len, char ret_text[TEXT_SIZE_LEN])
{
    const struct unit *unit = len == 0 ? &size_units[3] : &size_units[0];
    while (len % unit->factor != 0) {
        unit++;
    }
    return format_with_unit(len, unit, ret_text);
}

// --- times.  The calendar is Howard Hinnant's days_from_civil and its inverse
// ("chrono-Compatible Low-Level Date Algorithms"), for years that are not negative.

#define MS_PER_DAY INT64_C(86400000)
#define TIME_MIN_MS INT64_C(-62167219200000) // 0000-01-01T00:00:00.000Z
#define TIME_MAX_MS INT64_C(253402300799999) // 9999-12-31T23:59:59.999Z

struct civil {
    int64_t year, month, day;
};

static int64_t days_of(struct civil date)
{
    const int64_t y =
        date.year + 400 - (date.month <= 2); // one era later, so that nothing is negative
    const int64_t year_of_era = y % 400;
    const int64_t month_of_year = (date.month + 9) % 12; // from March
    const int64_t day_of_year = (153 * month_of_year + 2) / 5 + date.day - 1;
    const int64_t day_of_era =
        year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return y / 400 * 146097 + day_of_era - 719468 - 146097;
}

static struct civil civil_of(int64_t days)
{
    const int64_t z = days + 719468 + 146097;
    const int64_t day_of_era = z % 146097;
    const int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    const int64_t day_of_year =
        day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    const int64_t month_of_year = (5 * day_of_year + 2) / 153; // from March
    const int64_t month = month_of_year < 10 ? month_of_year + 3 : month_of_year - 9;
    return (struct civil){
        .year = year_of_era + z / 146097 * 400 - 400 + (month <= 2),
        .month = month,
        .day = day_of_year - (153 * month_of_year + 2) / 5 + 1,
    };
}

static int64_t days_in_month(int64_t year, int64_t month)
{
    static const uint8_t days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    const bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return days[month - 1] + (month == 2 && leap);
}

// A place in a text of fixed form; the error is sticky.
struct reader {
    struct span left;
    bool failed;
};

static char take(struct reader *reader)
{
    if (reader->failed || reader->left.len == 0) {
        reader->failed = true;
        return '\0';
    }
    const char c = reader->left.ptr[0];
    reader->left = span_of(reader->left.ptr + 1, reader->left.len - 1);
    return c;
}

static char take_one_of(struct reader *reader, const char *allowed)
{
    const char c = take(reader);
    if (c == '\0' || strchr(allowed, c) == NULL) {
        reader->failed = true;
    }
    return c;
}

static int64_t take_digits(struct reader *reader, unsigned count)
{
    int64_t value = 0;
    for (unsigned i = 0; i < count; i++) {
        value = value * 10 + (take_one_of(reader, "0123456789") - '0');
    }
    return value;
}

// The milliseconds of an optional fraction; the digits after the third are read and dropped.
static int64_t take_fraction(struct reader *reader)
{
    if (reader->left.len == 0 || reader->left.ptr[0] != '.') {
        return 0;
    }
    take(reader);
    int64_t ms = take_digits(reader, 1) * 100;
    int64_t weight = 10;
    while (!reader->failed && reader->left.len > 0 && is_digit(reader->left.ptr[0])) {
        ms += take_digits(reader, 1) * weight;
        weight /= 10;
    }
    return ms;
}

struct time_fields {
    struct civil date;
    int64_t hour, minute, second, ms;
    int64_t offset_sign, offset_hour, offset_minute;
};

static bool time_fields_in_range(const struct time_fields *f)
{
    return f->date.month >= 1 && f->date.month <= 12 && f->date.day >= 1 &&
           f->date.day <= days_in_month(f->date.year, f->date.month) && f->hour <= 23 &&
           f->minute <= 59 && f->second <= 59 && f->offset_hour <= 23 && f->offset_minute <= 59;
}

static bool read_time_fields(struct span text, struct time_fields *f)
{
    struct reader reader = {text, false};
    f->date.year = take_digits(&reader, 4);
    take_one_of(&reader, "-");
    f->date.month = take_digits(&reader, 2);
    take_one_of(&reader, "-");
    f->date.day = take_digits(&reader, 2);
    take_one_of(&reader, "Tt");
    f->hour = take_digits(&reader, 2);
    take_one_of(&reader, ":");
    f->minute = take_digits(&reader, 2);
    take_one_of(&reader, ":");
    f->second = take_digits(&reader, 2);
    f->ms = take_fraction(&reader);
    const char zone = take_one_of(&reader, "Zz+-");
    if (zone == '+' || zone == '-') {
        f->offset_sign = zone == '+' ? 1 : -1;
        f->offset_hour = take_digits(&reader, 2);
        take_one_of(&reader, ":");
        f->offset_minute = take_digits(&reader, 2);
    }
    return !reader.failed && reader.left.len == 0;
}

enum err text_time(struct span text, struct wall *ret_time)
{
    struct time_fields f = {0};
    if (!read_time_fields(text, &f)) {
        return ERR_SYNTAX;
    }
    if (!time_fields_in_range(&f)) {
        return ERR_RANGE;
    }
    const int64_t offset_minutes = f.offset_sign * (f.offset_hour * 60 + f.offset_minute);
    const int64_t minutes = f.hour * 60 + f.minute - offset_minutes;
    const int64_t ms = days_of(f.date) * MS_PER_DAY + minutes * 60000 + f.second * 1000 + f.ms;
    if (ms < TIME_MIN_MS || ms > TIME_MAX_MS) {
        return ERR_RANGE;
    }
    *ret_time = (struct wall){ms};
    return ERR_OK;
}

static void put_digits(char *at, unsigned count, int64_t value)
{
    for (unsigned i = count; i > 0; i--) {
        at[i - 1] = (char)('0' + value % 10);
        value /= 10;
    }
}

size_t text_time_format(struct wall time, char ret_text[TEXT_TIME_LEN])
{
    int64_t ms = time.ms < TIME_MIN_MS ? TIME_MIN_MS : time.ms;
    ms = (ms > TIME_MAX_MS ? TIME_MAX_MS : ms) - TIME_MIN_MS;
    const struct civil date = civil_of(ms / MS_PER_DAY + TIME_MIN_MS / MS_PER_DAY);
    const int64_t of_day = ms % MS_PER_DAY;
    memcpy(ret_text, "0000-00-00T00:00:00.000Z", TEXT_TIME_LEN);
    put_digits(ret_text, 4, date.year);
    put_digits(ret_text + 5, 2, date.month);
    put_digits(ret_text + 8, 2, date.day);
    put_digits(ret_text + 11, 2, of_day / 3600000);
    put_digits(ret_text + 14, 2, of_day / 60000 % 60);
    put_digits(ret_text + 17, 2, of_day / 1000 % 60);
    put_digits(ret_text + 20, 3, of_day % 1000);
    return TEXT_TIME_LEN - 1;
}

// --- hex

static const char hex_lower[] = "0123456789abcdef";
static const char hex_upper[] = "0123456789ABCDEF";

// The value of a hex digit of either case; -1 for anything else.
static int hex_value(char c)
{
    if (is_digit(c)) {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

size_t text_hex_format(const void *bytes, size_t len, char *ret_text)
{
    const uint8_t *from = bytes;
    for (size_t i = 0; i < len; i++) {
        ret_text[2 * i] = hex_lower[from[i] >> 4];
        ret_text[2 * i + 1] = hex_lower[from[i] & 15];
    }
    return 2 * len;
}

enum err text_hex(struct span text, void *ret_bytes, size_t len)
{
    if (text.len != 2 * len) {
        return ERR_SYNTAX;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (hex_value(text.ptr[i]) < 0) {
            return ERR_SYNTAX;
        }
    }
    uint8_t *to = ret_bytes;
    for (size_t i = 0; i < len; i++) {
        to[i] = (uint8_t)(hex_value(text.ptr[2 * i]) << 4 | hex_value(text.ptr[2 * i + 1]));
    }
    return ERR_OK;
}

enum err text_hex_u64(struct span text, unsigned digits, uint64_t *ret_value)
{
    ASSERT(digits >= 1 && digits <= 16);
    uint64_t value = 0;
    if (text.len != digits) {
        return ERR_SYNTAX;
    }
    for (size_t i = 0; i < text.len; i++) {
        const char c = text.ptr[i];
        if (hex_value(c) < 0 || (c >= 'A' && c <= 'F')) {
            return ERR_SYNTAX;
        }
        value = value << 4 | (uint64_t)hex_value(c);
    }
    *ret_value = value;
    return ERR_OK;
}

size_t text_hex_u64_format(uint64_t value, unsigned digits, char *ret_text)
{
    ASSERT(digits >= 1 && digits <= 16);
    for (unsigned i = digits; i > 0; i--) {
        ret_text[i - 1] = hex_lower[value & 15];
        value >>= 4;
    }
    ret_text[digits] = '\0';
    return digits;
}

// --- percent-encoding (RFC 3986)

// The byte at the start of `text` and how many characters of it that takes; 0 for a broken %XX.
static size_t decode_next(struct span text, char *ret_byte)
{
    if (text.ptr[0] != '%') {
        *ret_byte = text.ptr[0];
        return 1;
    }
    const struct span digits = span_of(text.ptr + 1, text.len < 3 ? text.len - 1 : 2);
    return text_hex(digits, ret_byte, 1) == ERR_OK ? 3 : 0;
}

enum err text_percent_decode(struct span text, char *buf, size_t cap, size_t *ret_len)
{
    size_t len = 0;
    while (text.len > 0) {
        char byte;
        const size_t step = decode_next(text, &byte);
        if (step == 0) {
            return ERR_SYNTAX;
        }
        if (len == cap) {
            return ERR_TOO_LARGE;
        }
        buf[len++] = byte;
        text = span_of(text.ptr + step, text.len - step);
    }
    *ret_len = len;
    return ERR_OK;
}

size_t text_percent_encode(struct span text, const char *keep, char *buf, size_t cap)
{
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        const char c = text.ptr[i];
        const bool kept = is_alnum(c) || (c != '\0' && strchr(keep, c) != NULL);
        const size_t step = kept ? 1 : 3;
        if (cap >= step && len <= cap - step) {
            const uint8_t byte = (uint8_t)c;
            const char escaped[3] = {'%', hex_upper[byte >> 4], hex_upper[byte & 15]};
            memcpy(buf + len, kept ? &c : escaped, step);
        }
        len += step;
    }
    return len;
}

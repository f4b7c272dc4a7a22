// SPDX-License-Identifier: Apache-2.0
#include "base/symbols.h"

#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define FUNCTIONS_MAX 1000000

struct function {
    uintptr_t start;
    size_t len;
    const char *name; // within the file
};

struct symbols {
    const char *file; // mapped
    size_t file_len;
    const char *names; // the string table
    size_t names_len;
    uintptr_t bias; // from an address of the file to one of the process
    struct function *functions;
    size_t count;
};

// --- reading the file.  It is our own, but it may be half written when it is being replaced.

static bool is_within(const struct symbols *symbols, uint64_t offset, uint64_t len)
{
    return offset <= symbols->file_len && len <= symbols->file_len - offset;
}

// NULL: there is none.
static const ElfW(Shdr) * section(const struct symbols *symbols, size_t number)
{
    ElfW(Ehdr) head;
    memcpy(&head, symbols->file, sizeof(head));
    const uint64_t offset = head.e_shoff + number * sizeof(ElfW(Shdr));
    if (number >= head.e_shnum || head.e_shoff % _Alignof(ElfW(Shdr)) != 0 ||
        !is_within(symbols, offset, sizeof(ElfW(Shdr)))) {
        return NULL;
    }
    return (const void *)(symbols->file + offset);
}

static bool is_elf(const struct symbols *symbols)
{
    ElfW(Ehdr) head;
    if (symbols->file_len < sizeof(head)) {
        return false;
    }
    memcpy(&head, symbols->file, sizeof(head));
    return memcmp(head.e_ident, ELFMAG, SELFMAG) == 0 && head.e_shentsize == sizeof(ElfW(Shdr));
}

// The full table if the program is not stripped, else that of what it exports.
static const ElfW(Shdr) * find_table(const struct symbols *symbols)
{
    const ElfW(Shdr) *found = NULL;
    const ElfW(Shdr) * at;
    for (size_t i = 0; (at = section(symbols, i)) != NULL; i++) {
        const bool better =
            at->sh_type == SHT_SYMTAB || (at->sh_type == SHT_DYNSYM && found == NULL);
        if (better && is_within(symbols, at->sh_offset, at->sh_size) &&
            at->sh_entsize == sizeof(ElfW(Sym))) {
            found = at;
        }
    }
    return found;
}

static int by_start(const void *left, const void *right)
{
    const struct function *a = left;
    const struct function *b = right;
    return (a->start > b->start) - (a->start < b->start);
}

static void take_functions(struct symbols *symbols, const ElfW(Shdr) * table, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        ElfW(Sym) symbol;
        memcpy(&symbol, symbols->file + table->sh_offset + i * sizeof(symbol), sizeof(symbol));
        // The type has the same place in both classes of ELF.
        if (ELF64_ST_TYPE(symbol.st_info) == STT_FUNC && symbol.st_value != 0 &&
            symbol.st_name < symbols->names_len) {
            symbols->functions[symbols->count++] =
                (struct function){(uintptr_t)symbol.st_value, (size_t)symbol.st_size,
                                  symbols->names + symbol.st_name};
        }
    }
    qsort(symbols->functions, symbols->count, sizeof(struct function), by_start);
}

static enum err read_table(struct symbols *symbols)
{
    const ElfW(Shdr) *table = is_elf(symbols) ? find_table(symbols) : NULL;
    const ElfW(Shdr) *names = table == NULL ? NULL : section(symbols, table->sh_link);
    if (names == NULL || !is_within(symbols, names->sh_offset, names->sh_size) ||
        names->sh_size == 0 || symbols->file[names->sh_offset + names->sh_size - 1] != '\0') {
        return ERR_SYNTAX;
    }
    const size_t count = (size_t)(table->sh_size / sizeof(ElfW(Sym)));
    if (count > FUNCTIONS_MAX) {
        return ERR_SYNTAX;
    }
    symbols->names = symbols->file + names->sh_offset;
    symbols->names_len = (size_t)names->sh_size;
    symbols->functions = calloc(count + 1, sizeof(struct function));
    if (symbols->functions == NULL) {
        return ERR_NOMEM;
    }
    take_functions(symbols, table, count);
    return ERR_OK;
}

static enum err map_file(struct symbols *symbols)
{
    struct stat stat;
    const int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return ERR_IO;
    }
    void *file = MAP_FAILED;
    if (fstat(fd, &stat) == 0 && stat.st_size > 0) {
        file = mmap(NULL, (size_t)stat.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    }
    close(fd);
    if (file == MAP_FAILED) {
        return ERR_IO;
    }
    symbols->file = file;
    symbols->file_len = (size_t)stat.st_size;
    return ERR_OK;
}

// The first object is the program itself.
static int take_bias(struct dl_phdr_info *info, size_t len, void *arg)
{
    struct symbols *symbols = arg;
    (void)len;
    symbols->bias = (uintptr_t)info->dlpi_addr;
    return 1;
}

enum err symbols_new(struct symbols **ret_symbols)
{
    struct symbols *symbols = calloc(1, sizeof(*symbols));
    if (symbols == NULL) {
        return ERR_NOMEM;
    }
    (void)dl_iterate_phdr(take_bias, symbols);
    enum err err = map_file(symbols);
    if (err == ERR_OK) {
        err = read_table(symbols);
    }
    if (err != ERR_OK) {
        symbols_free(symbols);
        return err;
    }
    *ret_symbols = symbols;
    return ERR_OK;
}

void symbols_free(struct symbols *symbols)
{
    if (symbols == NULL) {
        return;
    }
    if (symbols->file != NULL) {
        (void)munmap((void *)(uintptr_t)symbols->file, symbols->file_len);
    }
    free(symbols->functions);
    free(symbols);
}

// --- asking

// The last function that begins at or before `address`; NULL: none, or it ends before.
static const struct function *find(const struct symbols *symbols, uintptr_t address)
{
    size_t low = 0;
    size_t high = symbols->count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (symbols->functions[middle].start <= address) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low == 0) {
        return NULL;
    }
    const struct function *found = &symbols->functions[low - 1];
    return address - found->start < found->len ? found : NULL;
}

// What is not in the program's own table.
static void name_elsewhere(uintptr_t address, char ret_name[SYMBOLS_NAME_LEN])
{
    Dl_info info;
    if (dladdr((const void *)address, &info) == 0 || info.dli_fname == NULL) {
        (void)snprintf(ret_name, SYMBOLS_NAME_LEN, "0x%zx", (size_t)address);
        return;
    }
    const char *slash = strrchr(info.dli_fname, '/');
    const char *file = slash == NULL ? info.dli_fname : slash + 1;
    if (info.dli_sname != NULL) {
        (void)snprintf(ret_name, SYMBOLS_NAME_LEN, "%s: %s+0x%zx", file, info.dli_sname,
                       (size_t)(address - (uintptr_t)info.dli_saddr));
    } else {
        (void)snprintf(ret_name, SYMBOLS_NAME_LEN, "%s+0x%zx", file,
                       (size_t)(address - (uintptr_t)info.dli_fbase));
    }
}

void symbols_name(const struct symbols *symbols, uintptr_t address, char ret_name[SYMBOLS_NAME_LEN])
{
    // A call may be the last instruction of its function: the address behind it is another's.
    const uintptr_t call = address - 1;
    const struct function *function = symbols == NULL ? NULL : find(symbols, call - symbols->bias);
    if (function == NULL) {
        name_elsewhere(address, ret_name);
        return;
    }
    (void)snprintf(ret_name, SYMBOLS_NAME_LEN, "%s+0x%zx", function->name,
                   (size_t)(address - symbols->bias - function->start));
}

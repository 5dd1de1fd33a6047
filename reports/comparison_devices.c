/* Which device of the old side is which of the new. */
#include "comparison.h"

#include "device_name.h"

#include <string.h>

enum { NONE = -1 };

/* Of the devices of both sides, while they are paired. */
typedef struct pairing {
    tn_comparison *c;
    char (*stable[2])[TN_STABLE_NAME]; /* names without what drivers put in */
    const char **platform[2];
    int *partner[2]; /* on the other side, or NONE */
} pairing;

static const tn_device_id *device_of(const pairing *p, int side, size_t i) {
    return &p->c->seen[side].items[i];
}

static size_t count_of(const pairing *p, int side) {
    return p->c->seen[side].count;
}

static bool is_named(const pairing *p, int side, size_t i, const char *text) {
    const tn_device_id *d = device_of(p, side, i);
    return strcmp(d->name, text) == 0 || strcmp(p->stable[side][i], text) == 0 ||
           strcmp(d->label, text) == 0 || strcmp(d->host, text) == 0;
}

static void join(pairing *p, size_t before, size_t after) {
    p->partner[0][before] = (int)after;
    p->partner[1][after] = (int)before;
}

/* How many devices of a side the text names; `*last`: one of them. */
static size_t named(const pairing *p, int side, const char *text, size_t *last) {
    size_t found = 0;
    for (size_t i = 0; i < count_of(p, side); i++)
        if (is_named(p, side, i, text)) {
            *last = i;
            found++;
        }
    return found;
}

static tn_status map_fail(const pairing *p, int side, const char *map, const char *text) {
    char list[2048] = "";
    size_t used = 0;
    for (size_t i = 0; i < count_of(p, side) && used < sizeof list; i++)
        used += (size_t)snprintf(list + used, sizeof list - used, "%s'%s'", i ? ", " : "",
                                 device_of(p, side, i)->label);
    return tn_fail(p->c->ctx, TN_ERR_ARG, "--map '%s': '%s' names no device of the %s side, which has %s",
                   map, text, side ? "new" : "old", list);
}

/* One device on each side: they are one. Several of one name: the new ones go by the old name, and machine
 * and address tell them apart as ever. */
static tn_status apply_map(pairing *p, const char *map) {
    char *before;
    size_t old = 0, new = 0;
    const char *equals = strchr(map, '=');
    if (!equals || equals == map || !equals[1])
        return tn_fail(p->c->ctx, TN_ERR_ARG, "--map '%s' is not OLD=NEW, two names of devices", map);
    TN_TRY(tn_strdup(p->c->ctx, map, &before));
    before[equals - map] = '\0';
    const char *after = equals + 1;
    size_t olds = named(p, 0, before, &old), news = named(p, 1, after, &new);
    tn_status status = olds == 0   ? map_fail(p, 0, map, before)
                       : news == 0 ? map_fail(p, 1, map, after)
                                   : TN_OK;
    if (status == TN_OK && olds == 1 && news == 1 &&
        (p->partner[0][old] != NONE || p->partner[1][new] != NONE))
        status = tn_fail(p->c->ctx, TN_ERR_ARG, "--map '%s': one of the two is mapped already", map);
    else if (status == TN_OK && olds == 1 && news == 1)
        join(p, old, new);
    for (size_t i = 0; status == TN_OK && i < count_of(p, 1); i++)
        if (is_named(p, 1, i, after)) {
            memcpy(p->stable[1][i], p->stable[0][old], TN_STABLE_NAME);
            p->platform[1][i] = p->platform[0][old];
        }
    tn_free(p->c->ctx, before);
    return status;
}

static bool same_name(const pairing *p, int one, size_t i, int other, size_t k) {
    return strcmp(p->stable[one][i], p->stable[other][k]) == 0 &&
           strcmp(p->platform[one][i], p->platform[other][k]) == 0;
}

/* Devices of a side with the name of one device: all, or those without a partner and with its mark. */
static size_t namesakes(const pairing *p, int side, int of, size_t k, bool free_with_mark) {
    size_t count = 0;
    for (size_t i = 0; i < count_of(p, side); i++)
        count += same_name(p, side, i, of, k) &&
                 (!free_with_mark || (p->partner[side][i] == NONE &&
                                      strcmp(device_of(p, side, i)->mark, device_of(p, of, k)->mark) == 0));
    return count;
}

typedef bool (*likeness)(const pairing *p, size_t before, size_t after);

static bool same_place(const pairing *p, size_t before, size_t after) {
    const tn_device_id *x = device_of(p, 0, before), *y = device_of(p, 1, after);
    return strcmp(x->host, y->host) == 0 && strcmp(x->mark, y->mark) == 0;
}

/* Each the only one of its side that is free and has that address. */
static bool same_mark(const pairing *p, size_t before, size_t after) {
    const tn_device_id *x = device_of(p, 0, before), *y = device_of(p, 1, after);
    return *x->mark && strcmp(x->mark, y->mark) == 0 && namesakes(p, 0, 0, before, true) == 1 &&
           namesakes(p, 1, 0, before, true) == 1;
}

static bool only_one(const pairing *p, size_t before, size_t after) {
    (void)after;
    return namesakes(p, 0, 0, before, false) == 1 && namesakes(p, 1, 0, before, false) == 1;
}

static void pair_alike(pairing *p) {
    static const likeness ways[] = {same_place, same_mark, only_one};
    for (size_t w = 0; w < sizeof ways / sizeof *ways; w++)
        for (size_t i = 0; i < count_of(p, 0); i++)
            for (size_t k = 0; k < count_of(p, 1); k++)
                if (p->partner[0][i] == NONE && p->partner[1][k] == NONE && same_name(p, 0, i, 1, k) &&
                    ways[w](p, i, k))
                    join(p, i, k);
}

static tn_status begin(pairing *p) {
    tn_context *ctx = p->c->ctx;
    for (int s = 0; s < 2; s++) {
        size_t count = count_of(p, s);
        TN_TRY(tn_alloc(ctx, count, sizeof *p->stable[s], &p->stable[s]));
        TN_TRY(tn_alloc(ctx, count, sizeof *p->platform[s], &p->platform[s]));
        TN_TRY(tn_alloc(ctx, count, sizeof *p->partner[s], &p->partner[s]));
        for (size_t i = 0; i < count; i++) {
            tn_device_stable_name(device_of(p, s, i)->name, p->stable[s][i]);
            p->platform[s][i] = device_of(p, s, i)->platform;
            p->partner[s][i] = NONE;
        }
    }
    return TN_OK;
}

/* The devices of the comparison: each of the old side with its partner, then what the new side has alone. */
static tn_status number(pairing *p) {
    tn_comparison *c = p->c;
    for (int s = 0; s < 2; s++) {
        TN_TRY(tn_alloc(c->ctx, count_of(p, s), sizeof *c->place[s], &c->place[s]));
        for (size_t i = 0; i < count_of(p, s); i++) {
            int other = p->partner[s][i];
            if (s == 1 && other != NONE) {
                c->place[1][i] = c->place[0][other];
                c->devices[c->place[1][i]].side[1] = device_of(p, 1, i);
                continue;
            }
            TN_TRY(
                tn_grow(c->ctx, &c->devices, &c->device_capacity, c->device_count + 1, sizeof *c->devices));
            tn_compared_device *d = &c->devices[c->device_count];
            c->place[s][i] = c->device_count++;
            d->side[s] = device_of(p, s, i);
            d->label = d->side[s]->label;
        }
    }
    return TN_OK;
}

/* Of each side, and which device each of its rows is on. */
static tn_status see(tn_comparison *c) {
    size_t at;
    for (int s = 0; s < 2; s++) {
        c->seen[s] = (tn_devices){.ctx = c->ctx, .any_host = c->options.any_host};
        for (size_t f = 0; f < c->table_count; f++)
            for (size_t row = 0; c->tables[f].side == s && row < c->tables[f].csv.rows; row++)
                TN_TRY(tn_devices_find(&c->seen[s], &c->tables[f].csv, row, &at));
        tn_devices_label(&c->seen[s]);
    }
    return TN_OK;
}

tn_status tn_comparison_pair(tn_comparison *c) {
    pairing p = {.c = c};
    tn_status status = TN_OK;
    TN_GO(see(c));
    TN_GO(begin(&p));
    for (size_t i = 0; i < c->options.map_count; i++)
        TN_GO(apply_map(&p, c->options.maps[i]));
    pair_alike(&p);
    status = number(&p);
cleanup:
    for (int s = 0; s < 2; s++) {
        tn_free(c->ctx, p.stable[s]);
        tn_free(c->ctx, p.platform[s]);
        tn_free(c->ctx, p.partner[s]);
    }
    return status;
}

#include "report_routes.h"
#include "csv_read.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct route {
    int64_t sequence, layer, position, token;
    bool routed, needed, known; /* known: the task can say what is needed */
} route;

/* Where the columns stand. */
typedef struct route_columns {
    int sequence, layer, position, token, routed, oracle;
} route_columns;

static route_columns columns_of(const tn_csv *t) {
    return (route_columns){tn_csv_column(t, "sequence"), tn_csv_column(t, "layer"),
                           tn_csv_column(t, "position"), tn_csv_column(t, "token"),
                           tn_csv_column(t, "routed"),   tn_csv_column(t, "oracle")};
}

static bool read_count(const tn_csv *t, size_t row, int column, int64_t limit, int64_t *out) {
    double value;
    if (!tn_csv_number(t, row, column, &value) || value < 0 || value >= (double)limit ||
        value != floor(value))
        return false;
    *out = (int64_t)value;
    return true;
}

static bool read_route(const tn_csv *t, const route_columns *c, size_t row, route *out) {
    int64_t routed, oracle = 0;
    *out = (route){.known = *tn_csv_text(t, row, c->oracle) != '\0'};
    if (!read_count(t, row, c->sequence, INT32_MAX, &out->sequence) ||
        !read_count(t, row, c->layer, TN_ROUTES_LAYERS, &out->layer) ||
        !read_count(t, row, c->position, INT32_MAX, &out->position) ||
        !read_count(t, row, c->token, INT32_MAX, &out->token) || !read_count(t, row, c->routed, 2, &routed) ||
        (out->known && !read_count(t, row, c->oracle, 2, &oracle)))
        return false;
    out->routed = routed;
    out->needed = oracle;
    return true;
}

tn_status tn_routes_check(tn_csv *t) {
    static const char *const wanted[] = {"sequence", "layer", "position", "token", "routed", "oracle", NULL};
    TN_TRY(tn_csv_require(t, "routes of a run", wanted));
    route_columns c = columns_of(t);
    for (size_t row = 0; row < t->rows; row++) {
        route r;
        if (!read_route(t, &c, row, &r))
            return tn_fail(
                t->ctx, TN_ERR_INPUT,
                "%s, line %ld: no route (counts from 0, routed and oracle 0 or 1); the file is damaged, "
                "evaluate the run again",
                t->path, t->lines[row + 1]);
    }
    return TN_OK;
}

tn_status tn_routes_read(tn_context *ctx, const char *path, tn_csv *out) {
    TN_TRY(tn_csv_read(ctx, path, out));
    tn_status status = tn_routes_check(out);
    if (status != TN_OK)
        tn_csv_free(out);
    return status;
}

/* By sequence, position, layer: a position's layers stand together. */
static int in_order(const void *a, const void *b) {
    const route *x = a, *y = b;
    int64_t left[] = {x->sequence, x->position, x->layer}, right[] = {y->sequence, y->position, y->layer};
    for (int i = 0; i < 3; i++)
        if (left[i] != right[i])
            return left[i] < right[i] ? -1 : 1;
    return 0;
}

static json_t *sequence_json(const route *routes, size_t count, int64_t layers) {
    json_t *positions = json_array(), *tokens = json_array(), *needed = json_array(), *routed = json_array();
    for (int64_t i = 0; i < layers; i++)
        json_array_append_new(routed, json_array());
    for (size_t i = 0; i < count; i++) {
        const route *r = &routes[i];
        if (i == 0 || r->position != routes[i - 1].position) {
            json_array_append_new(positions, json_integer(r->position));
            json_array_append_new(tokens, json_integer(r->token));
            if (r->needed)
                json_array_append_new(needed, json_integer(r->position));
        }
        if (r->routed)
            json_array_append_new(json_array_get(routed, (size_t)r->layer), json_integer(r->position));
    }
    json_t *object = json_object();
    json_object_set_new(object, "id", json_integer(routes[0].sequence));
    json_object_set_new(object, "positions", positions);
    json_object_set_new(object, "tokens", tokens);
    json_object_set_new(object, "needed", routes[0].known ? needed : json_null());
    json_object_set_new(object, "routed", routed);
    if (!routes[0].known)
        json_decref(needed);
    return object;
}

tn_status tn_routes_json(const tn_csv *t, json_t **out) {
    route *routes;
    int64_t layers = 0;
    *out = json_null();
    if (!t->ctx || t->rows == 0)
        return TN_OK;
    TN_TRY(tn_alloc(t->ctx, t->rows, sizeof *routes, &routes));
    route_columns c = columns_of(t);
    for (size_t row = 0; row < t->rows; row++) {
        (void)read_route(t, &c, row, &routes[row]); /* tn_routes_read has looked at every row */
        layers = routes[row].layer >= layers ? routes[row].layer + 1 : layers;
    }
    qsort(routes, t->rows, sizeof *routes, in_order);
    json_t *sequences = json_array(), *object = json_object();
    for (size_t from = 0, to; from < t->rows; from = to) {
        for (to = from + 1; to < t->rows && routes[to].sequence == routes[from].sequence;)
            to++;
        json_array_append_new(sequences, sequence_json(routes + from, to - from, layers));
    }
    tn_free(t->ctx, routes);
    json_object_set_new(object, "layers", json_integer(layers));
    json_object_set_new(object, "sequences", sequences);
    *out = object;
    return TN_OK;
}

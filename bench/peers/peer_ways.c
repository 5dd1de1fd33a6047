/* Starting peers, and finding the way in which one does a piece of work fastest and right. */
#include "peers.h"

#include <math.h>
#include <string.h>

enum { DEATHS = 2, SLOW = 3 };
static const double much_slower = 1.5, trial_s = 0.01;

void tn_peers_stop(tn_peers *peers) {
    for (int k = 0; k < TN_PEER_KINDS; k++)
        for (int w = 0; w < TN_PEER_WAYS; w++) {
            tn_peer_stop(peers->ways[k][w].running);
            peers->ways[k][w].running = NULL;
        }
}

tn_status tn_peers_process(tn_context *ctx, tn_peers *peers, int kind, int way, tn_peer **out) {
    const tn_peer_kind *k = &tn_peer_kinds[kind];
    tn_peer_way *w = &peers->ways[kind][way];
    char path[4200], card[32];
    const char *argv[] = {peers->python, path, w->word[0] ? w->word : peers->on_card ? card : NULL, NULL};
    snprintf(card, sizeof card, "card=%s", peers->card);
    if (peers->on_card && !k->cards)
        return tn_fail(ctx, TN_ERR_UNSUPPORTED,
                       "%s runs on the processor; beside a card its vendor's library stands as --peer torch",
                       k->name);
    if (w->running && !tn_peer_alive(w->running)) {
        w->deaths++;
        tn_peer_stop(w->running);
        w->running = NULL;
    }
    if (w->deaths >= DEATHS)
        return tn_fail(ctx, TN_ERR_DEVICE, "%s crashed or hung %d times in this run and is left alone",
                       k->name, DEATHS);
    if (!w->running) {
        snprintf(path, sizeof path, "%s/%s", peers->folder, k->program);
        TN_TRY(tn_peer_start(ctx, k->script ? argv : argv + 1, NULL, &w->running));
    }
    *out = w->running;
    return TN_OK;
}

static tn_status hand_over(tn_peer *peer, const tn_peer_work *w) {
    tn_context *ctx = tn_device_context(w->first.dev);
    char shape[200], what[300];
    for (int i = 0; w->task->inputs[i]; i++) {
        float *values;
        size_t count;
        TN_TRY(tn_peer_work_input(w, i, &values, &count));
        tn_status status = tn_peer_input(peer, values, count);
        tn_free(ctx, values);
        TN_TRY(status);
    }
    tn_shape_print(w->first.c, &w->first.shape, shape, sizeof shape);
    for (char *p = shape; *p; p++)
        *p = *p == ',' ? ' ' : *p;
    snprintf(what, sizeof what, "%s %s %s", w->task->op, w->task->pass, shape);
    return tn_peer_prepare(peer, what);
}

/* The first way is what it does when left alone; the others it is asked for once. One that cannot say has
 * none.
 */
static tn_status ask_ways(tn_context *ctx, tn_peers *peers, int kind) {
    char words[TN_PEER_WAYS - 1][TN_PEER_WAY];
    int count = 0;
    tn_peer *peer;
    if (peers->way_count[kind])
        return TN_OK;
    if (tn_peer_kinds[kind].ways) {
        TN_TRY(tn_peers_process(ctx, peers, kind, 0, &peer));
        tn_status status =
            tn_peer_ask_ways(peer, peers->python, TN_PEER_WAYS - 1, TN_PEER_WAY, words[0], &count);
        if (status == TN_ERR_INTERRUPTED || !tn_peer_alive(peer))
            return status;
    }
    for (int i = 0; i < count; i++)
        memcpy(peers->ways[kind][i + 1].word, words[i], TN_PEER_WAY);
    peers->way_count[kind] = count + 1;
    return TN_OK;
}

/* Is the way what another is already, by its name? */
static bool is_double(const tn_peers *peers, int kind, int way) {
    const char *name = tn_peer_name(peers->ways[kind][way].running);
    for (int w = 0; w < way; w++)
        if (!peers->ways[kind][w].dropped && peers->ways[kind][w].running &&
            strcmp(tn_peer_name(peers->ways[kind][w].running), name) == 0)
            return true;
    return false;
}

static tn_status is_right(tn_peer *peer, const tn_peer_work *work, const float *ours) {
    tn_context *ctx = tn_device_context(work->first.dev);
    float *theirs;
    double worst;
    size_t count = tn_peer_work_output_count(work);
    TN_TRY(tn_alloc(ctx, count, sizeof *theirs, &theirs));
    tn_status status = tn_peer_output(peer, theirs, count);
    if (status == TN_OK)
        status = tn_peer_work_compare(work, tn_peer_name(peer), ours, theirs, &worst);
    tn_free(ctx, theirs);
    return status;
}

/* Seconds a call, the best of a few batches; no more than one call where that is much slower than `best`. */
static tn_status try_speed(tn_peer *peer, double best, double *seconds) {
    double batch;
    TN_TRY(tn_peer_run(peer, 1, seconds));
    int calls = *seconds < trial_s ? (int)fmin(1000, ceil(trial_s / *seconds)) : 1;
    for (int i = 0; i < 3 && *seconds < 4 * best; i++) {
        TN_TRY(tn_peer_run(peer, calls, &batch));
        *seconds = fmin(*seconds, batch / calls);
    }
    return TN_OK;
}

static tn_status try_way(tn_peers *peers, int kind, int way, const tn_peer_work *work, const float *ours,
                         double best, double *seconds) {
    tn_context *ctx = tn_device_context(work->first.dev);
    tn_peer *peer;
    TN_TRY(tn_peers_process(ctx, peers, kind, way, &peer));
    TN_TRY(hand_over(peer, work));
    if (is_double(peers, kind, way))
        return tn_fail(ctx, TN_ERR_UNSUPPORTED, "%s is there already", tn_peer_name(peer));
    TN_TRY(is_right(peer, work, ours));
    return try_speed(peer, best, seconds);
}

static void drop(tn_peer_way *w) {
    w->dropped = true;
    tn_peer_stop(w->running);
    w->running = NULL;
}

/* Fills seconds[way], INFINITY where a way is none; the status and words of the first failure are what is
 * left when no way is right. */
static tn_status try_all(tn_peers *peers, int kind, const tn_peer_work *work, const float *ours,
                         double *seconds, int *best) {
    tn_context *ctx = tn_device_context(work->first.dev);
    char words[sizeof ctx->message] = "";
    tn_status failure = TN_OK;
    *best = -1;
    for (int w = 0; w < peers->way_count[kind]; w++) {
        tn_peer_way *way = &peers->ways[kind][w];
        seconds[w] = INFINITY;
        if (way->dropped)
            continue;
        tn_status status =
            try_way(peers, kind, w, work, ours, *best < 0 ? INFINITY : seconds[*best], &seconds[w]);
        if (status == TN_OK) {
            *best = *best < 0 || seconds[w] < seconds[*best] ? w : *best;
            continue;
        }
        seconds[w] = INFINITY;
        if (status == TN_ERR_INTERRUPTED)
            return status;
        if (failure == TN_OK)
            memcpy(words, ctx->message, sizeof words);
        failure = failure == TN_OK ? status : failure;
        if (status == TN_ERR_CHECK)
            tn_warn(ctx, "left out: %s", ctx->message);
        if (w > 0 || status == TN_ERR_CHECK)
            drop(way);
    }
    return *best >= 0 ? TN_OK : failure ? tn_fail(ctx, failure, "%s", words) : TN_ERR_DEVICE;
}

tn_status tn_peers_choose(tn_peers *peers, int kind, const tn_peer_work *work, const float *ours,
                          tn_peer **out) {
    tn_context *ctx = tn_device_context(work->first.dev);
    double seconds[TN_PEER_WAYS];
    int best = 0;
    TN_TRY(ask_ways(ctx, peers, kind));
    if (peers->way_count[kind] <= 1) {
        TN_TRY(tn_peers_process(ctx, peers, kind, 0, out));
        return hand_over(*out, work);
    }
    TN_TRY(try_all(peers, kind, work, ours, seconds, &best));
    for (int w = 0; w < peers->way_count[kind]; w++) {
        tn_peer_way *way = &peers->ways[kind][w];
        way->slow = seconds[w] > much_slower * seconds[best] ? way->slow + 1 : 0;
        if (way->slow >= SLOW && !way->dropped)
            drop(way);
    }
    *out = peers->ways[kind][best].running;
    return TN_OK;
}

#include "cell_list.h"

#include "cell_shapes.h"
#include "config.h"
#include "presets.h"
#include "routed_rows.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A sweep's axes with the preset's values where none were given, and one device. */
typedef struct plan {
    tn_context *ctx;
    const tn_device_info *info;
    bool tell, every_shape;
    int block_stride; /* of the fractions, one in so many is run in blocks too, the second first */
    const tn_sweep_axes *given;
    tn_axis T, D, model_T, model_D, rho, context, decode_D, decode_rho;
    tn_words level, layer_pass, model_pass;
    char last_told[400];
    tn_cell_list *list;
} plan;

/* Every combination of five axes, the last the quickest; an axis without values gives −1 once. D and H come
 * first, so that a pair that cannot be is met, and told, once. */
typedef struct crossing {
    const tn_axis *axes[5]; /* D, H, K, T, B */
    int at[5];
    bool over;
} crossing;

static double crossing_value(const crossing *c, int axis) {
    return c->axes[axis]->count ? c->axes[axis]->v[c->at[axis]] : -1;
}

static void crossing_step(crossing *c) {
    int i = 4;
    for (; i >= 0 && ++c->at[i] >= c->axes[i]->count; i--)
        c->at[i] = 0;
    c->over = i < 0;
}

static tn_cell_dims crossing_dims(const crossing *c) {
    return (tn_cell_dims){.D = (int64_t)crossing_value(c, 0),
                          .H = (int64_t)crossing_value(c, 1),
                          .K = (int64_t)crossing_value(c, 2),
                          .T = (int64_t)crossing_value(c, 3),
                          .B = (int64_t)crossing_value(c, 4),
                          .rho = NAN};
}

static tn_sweep_cell blank(const plan *p, const char *level) {
    tn_sweep_cell cell = {
        .info = p->info, .cold = p->given->cold, .B = -1, .T = -1, .D = -1, .H = -1, .K = -1, .rho = NAN};
    snprintf(cell.level, sizeof cell.level, "%s", level);
    return cell;
}

static tn_status add(plan *p, const tn_sweep_cell *cell) {
    tn_cell_list *list = p->list;
    TN_TRY(tn_grow(p->ctx, &list->items, &list->capacity, list->count + 1, sizeof *list->items));
    list->items[list->count++] = *cell;
    return TN_OK;
}

/* What cannot be is left out; the reason stands in the context, and is told once in a row. */
static void leave_out(plan *p, const char *what) {
    char text[400];
    snprintf(text, sizeof text, "left out: %.90s: %.290s", what, p->ctx->message);
    if (p->tell && strcmp(text, p->last_told) != 0)
        tn_warn(p->ctx, "%s", text);
    memcpy(p->last_told, text, sizeof text);
}

static bool is_new_shape(const plan *p, size_t from, const tn_sweep_cell *cell) {
    for (size_t i = from; i < p->list->count; i++)
        if (strcmp(p->list->items[i].shape, cell->shape) == 0 &&
            strcmp(p->list->items[i].pass, cell->pass) == 0)
            return false;
    return true;
}

/* One shape of one op in all its passes, unless it is there already. */
static tn_status add_op_shape(plan *p, const tn_case *c, const tn_shape *shape, size_t from) {
    for (int i = 0; c->passes[i]; i++) {
        tn_sweep_cell cell = blank(p, "op");
        if (!tn_words_allow(&p->given->pass, c->passes[i]))
            continue;
        snprintf(cell.op, sizeof cell.op, "%s", c->op);
        snprintf(cell.pass, sizeof cell.pass, "%s", c->passes[i]);
        tn_shape_print(c, shape, cell.shape, sizeof cell.shape);
        if (is_new_shape(p, from, &cell))
            TN_TRY(add(p, &cell));
    }
    return TN_OK;
}

static tn_status add_op_crossings(plan *p, const tn_case *c, const tn_shape *base, size_t from) {
    const tn_sweep_axes *g = p->given;
    crossing cross = {.axes = {&g->D, &g->H, &g->K, &g->T, &g->batch}};
    for (; !cross.over; crossing_step(&cross))
        for (int r = 0; r < (g->rho.count ? g->rho.count : 1); r++) {
            tn_cell_dims dims = crossing_dims(&cross);
            tn_shape shape = *base;
            dims.rho = g->rho.count ? g->rho.v[r] : NAN;
            if (tn_cell_shape_apply(p->ctx, c, &dims, &shape) != TN_OK) {
                leave_out(p, "a shape");
                continue;
            }
            TN_TRY(add_op_shape(p, c, &shape, from));
        }
    return TN_OK;
}

static tn_status add_ops(plan *p) {
    for (int i = 0; i < tn_case_count; i++) {
        const tn_case *c = tn_cases[i];
        tn_shape shapes[TN_SHAPES_MAX];
        int count;
        size_t from = p->list->count;
        if (!tn_words_allow(&p->given->op, c->op))
            continue;
        TN_TRY(tn_shapes_of(p->ctx, c, shapes, &count));
        for (int s = 0; s < (p->every_shape || count < 1 ? count : 1); s++)
            TN_TRY(add_op_crossings(p, c, &shapes[s], from));
    }
    return TN_OK;
}

/* Beside the compacted layers of a forward pass one that runs both tracks for all rows and then chooses. It
 * does the same work whatever is routed, so one fraction stands for all: that in the middle of the axis. */
static tn_status add_masked(plan *p, const tn_sweep_cell *like) {
    tn_sweep_cell cell = *like;
    if (strcmp(cell.level, "layer") != 0 || strcmp(cell.pass, "forward") != 0 || p->rho.count == 0)
        return TN_OK;
    cell.execution = TN_EXECUTION_MASKED;
    cell.rho = (double)tn_routed_rows(p->rho.v[p->rho.count / 2], cell.T) / (double)cell.T;
    return add(p, &cell);
}

/* The same rows in whole blocks; unlike masked, its work depends on how many there are. */
static tn_status add_blocks(plan *p, const tn_sweep_cell *like) {
    tn_sweep_cell cell = *like;
    if (strcmp(cell.level, "layer") != 0 || strcmp(cell.pass, "forward") != 0)
        return TN_OK;
    cell.execution = TN_EXECUTION_BLOCKS;
    return add(p, &cell);
}

/* Routed at every fraction that gives another number of rows, and what stands beside it: dense attention, or
 * of a training step that of phase 1, both tracks for all rows. */
static tn_status add_mixers(plan *p, const tn_sweep_cell *like) {
    int64_t seen[TN_AXIS_MAX];
    int count = 0;
    tn_sweep_cell cell = *like;
    bool step = strcmp(cell.level, "model") == 0 && strcmp(cell.pass, "step") == 0;
    snprintf(cell.mixer, sizeof cell.mixer, step ? "routed" : "attention");
    TN_TRY(add(p, &cell));
    snprintf(cell.mixer, sizeof cell.mixer, "routed");
    for (int i = 0; i < p->rho.count; i++) {
        int64_t rows = tn_routed_rows(p->rho.v[i], cell.T);
        bool before = false;
        for (int j = 0; j < count; j++)
            before = before || seen[j] == rows;
        if (before)
            continue;
        seen[count++] = rows;
        cell.rho = (double)rows / (double)cell.T;
        TN_TRY(add(p, &cell));
        if (count % p->block_stride == 2 % p->block_stride)
            TN_TRY(add_blocks(p, &cell));
    }
    return add_masked(p, &cell);
}

/* Sizes that were not given: as many tokens in the short cells as in the first long one; heads of 64. */
static void complete(tn_cell_dims *d) {
    if (d->B < 0)
        d->B = d->T < 4096 ? 4096 / d->T : 1;
    if (d->H < 0)
        d->H = d->D < 128 ? 2 : d->D / 64;
    if (d->K < 0)
        d->K = 4;
}

static bool can_be(plan *p, const char *level, const tn_cell_dims *d) {
    tn_model_config c = tn_model_config_default(2);
    char what[100];
    c.d_model = d->D;
    c.heads = d->H > 0 ? d->H : 1;
    c.conv_taps = d->K;
    if (strcmp(level, "model") == 0 && d->T < 3)
        tn_fail(p->ctx, TN_ERR_ARG, "the model runs on recall, which takes 3 positions at least");
    else if (tn_model_config_check(p->ctx, &c) == TN_OK)
        return true;
    snprintf(what, sizeof what, "D=%lld, H=%lld, K=%lld", (long long)d->D, (long long)d->H, (long long)d->K);
    leave_out(p, what);
    return false;
}

static tn_status add_sizes(plan *p, const char *level, const char *op, const tn_axis *T, const tn_axis *D,
                           const tn_words *passes) {
    const tn_sweep_axes *g = p->given;
    crossing cross = {.axes = {D, &g->H, &g->K, T, &g->batch}};
    for (; !cross.over; crossing_step(&cross)) {
        tn_cell_dims d = crossing_dims(&cross);
        complete(&d);
        if (!can_be(p, level, &d))
            continue;
        for (int i = 0; i < passes->count; i++) {
            tn_sweep_cell cell = blank(p, level);
            snprintf(cell.op, sizeof cell.op, "%s", op);
            snprintf(cell.pass, sizeof cell.pass, "%s", passes->v[i]);
            cell.B = d.B;
            cell.T = d.T;
            cell.D = d.D;
            cell.H = d.H;
            cell.K = d.K;
            TN_TRY(add_mixers(p, &cell));
        }
    }
    return TN_OK;
}

/* Convolution, attention and routed at every fraction that is another, and masked at one that stands for all.
 */
static tn_status add_decode_mixers(plan *p, const tn_sweep_cell *like) {
    tn_sweep_cell cell = *like;
    double rhos[TN_AXIS_MAX];
    int count = 0;
    snprintf(cell.mixer, sizeof cell.mixer, "conv");
    TN_TRY(add(p, &cell));
    snprintf(cell.mixer, sizeof cell.mixer, "attention");
    TN_TRY(add(p, &cell));
    snprintf(cell.mixer, sizeof cell.mixer, "routed");
    for (int i = 0; i < p->decode_rho.count; i++) {
        bool before = false;
        cell.rho = tn_decoding_rho(p->decode_rho.v[i]);
        for (int k = 0; k < count; k++)
            before = before || rhos[k] == cell.rho;
        if (before)
            continue;
        rhos[count++] = cell.rho;
        TN_TRY(add(p, &cell));
    }
    cell.rho = rhos[count / 2];
    cell.execution = TN_EXECUTION_MASKED;
    return add(p, &cell);
}

static bool can_decode(plan *p, const tn_sweep_cell *cell) {
    const tn_decoding_shape shape = {
        .B = cell->B, .context = cell->context, .D = cell->D, .H = cell->H, .K = cell->K, .mixer = "conv"};
    char what[100];
    if (tn_decoding_check(p->ctx, &shape) == TN_OK)
        return true;
    snprintf(what, sizeof what, "context %lld, B=%lld, D=%lld, H=%lld, K=%lld", (long long)cell->context,
             (long long)cell->B, (long long)cell->D, (long long)cell->H, (long long)cell->K);
    leave_out(p, what);
    return false;
}

static tn_status check_decode(const plan *p) {
    if (p->given->cold)
        return tn_fail(p->ctx, TN_ERR_ARG,
                       "--cache cold does not go with --level decode: a span is many tokens, and only its "
                       "first would find caches cold");
    for (int i = 0; i < p->decode_rho.count; i++)
        if (p->decode_rho.v[i] > 0 && p->decode_rho.v[i] < 1.0 / TN_DECODING_PERIOD)
            return tn_fail(p->ctx, TN_ERR_ARG, "--rho %g: of decoding 0, or %g to 1", p->decode_rho.v[i],
                           1.0 / TN_DECODING_PERIOD);
    return TN_OK;
}

static tn_status add_decoding(plan *p) {
    static const tn_axis equal = {{0}, 1};
    const tn_sweep_axes *g = p->given;
    const tn_axis *ragged = g->ragged.count ? &g->ragged : &equal;
    crossing cross = {.axes = {&p->decode_D, &g->H, &g->K, &p->context, &g->batch}};
    TN_TRY(check_decode(p));
    for (; !cross.over; crossing_step(&cross))
        for (int i = 0; i < ragged->count; i++) {
            tn_cell_dims d = crossing_dims(&cross);
            tn_sweep_cell cell = blank(p, "decode");
            cell.ragged = ragged->v[i] > 0;
            d.B = d.B > 0 ? d.B : cell.ragged ? 8 : 1;
            complete(&d);
            snprintf(cell.op, sizeof cell.op, "mixer");
            snprintf(cell.pass, sizeof cell.pass, "token");
            cell.B = d.B;
            cell.context = d.T;
            cell.D = d.D;
            cell.H = d.H;
            cell.K = d.K;
            if (can_decode(p, &cell))
                TN_TRY(add_decode_mixers(p, &cell));
        }
    return TN_OK;
}

static const char *const test_kinds[] = {"ok-1", "ok-2", "ok-3",   "slow",  "hang", "crash",
                                         "fail", "lost", "broken", "noise", NULL};

static tn_status add_tests(plan *p) {
    for (int i = 0; test_kinds[i]; i++) {
        tn_sweep_cell cell = blank(p, "test");
        snprintf(cell.op, sizeof cell.op, "%s", test_kinds[i]);
        snprintf(cell.pass, sizeof cell.pass, "forward");
        TN_TRY(add(p, &cell));
    }
    return TN_OK;
}

static const tn_words op_level = {{"op"}, 1};

/* Those of `has` that were given; the preset's where none were. */
static tn_words passes_of(const tn_sweep_axes *given, const tn_words *has, const tn_words *preset) {
    tn_words out = {.count = 0};
    if (!given->pass.count)
        return *preset;
    for (int i = 0; i < has->count; i++)
        if (tn_words_allow(&given->pass, has->v[i]))
            memcpy(out.v[out.count++], has->v[i], sizeof out.v[0]);
    return out;
}

/* The cells from `from` on, once for every number of cores. */
static tn_status cross_cores(plan *p, size_t from) {
    const size_t end = p->list->count;
    const tn_axis *cores = &p->given->cores;
    if (p->info->kind != TN_KIND_CPU && cores->count > 0)
        tn_warn(p->ctx, "%s is no CPU: --cores leaves it whole", p->info->name);
    if (p->info->kind != TN_KIND_CPU)
        return TN_OK;
    for (int c = 0; c < cores->count; c++)
        for (size_t i = from; i < end; i++) {
            tn_sweep_cell cell = p->list->items[i];
            cell.cores = (int)cores->v[c];
            if (c == 0)
                p->list->items[i] = cell;
            else
                TN_TRY(add(p, &cell));
        }
    return TN_OK;
}

tn_status tn_cells_make(tn_context *ctx, const char *preset, const tn_sweep_axes *axes,
                        const tn_device_info *info, bool tell, tn_cell_list *list) {
    const char *testing = getenv("TURNOUT_TEST_CELLS");
    const size_t before = list->count;
    const tn_sweep_preset *known = tn_sweep_preset_find(preset);
    if (!known)
        return tn_fail(ctx, TN_ERR_ARG, "there is no preset '%s'; `turnout sweep --list` has them", preset);
    plan p = {.ctx = ctx,
              .info = info,
              .tell = tell,
              .every_shape = known->every_shape,
              .block_stride = axes->rho.count ? 1 : known->block_stride,
              .given = axes,
              .T = axes->T.count ? axes->T : known->T,
              .D = axes->D.count ? axes->D : known->D,
              .model_T = axes->T.count ? axes->T : known->model_T,
              .model_D = axes->D.count ? axes->D : known->model_D,
              .rho = axes->rho.count ? axes->rho : known->rho,
              .context = axes->context.count ? axes->context : known->context,
              .decode_D = axes->D.count ? axes->D : known->decode_D,
              .decode_rho = axes->rho.count ? axes->rho : known->decode_rho,
              .level = axes->level.count ? axes->level
                       : axes->op.count  ? op_level
                                         : known->level,
              .layer_pass = passes_of(axes, &tn_sweep_layer_pass, &known->layer_pass),
              .model_pass = passes_of(axes, &tn_sweep_model_pass, &known->model_pass),
              .list = list};
    if (testing && strcmp(testing, "1") == 0)
        return add_tests(&p);
    if (tn_words_allow(&p.level, "op"))
        TN_TRY(add_ops(&p));
    if (tn_words_allow(&p.level, "layer"))
        TN_TRY(add_sizes(&p, "layer", "mixer", &p.T, &p.D, &p.layer_pass));
    if (tn_words_allow(&p.level, "model"))
        TN_TRY(add_sizes(&p, "model", "model", &p.model_T, &p.model_D, &p.model_pass));
    if (tn_words_allow(&p.level, "decode"))
        TN_TRY(add_decoding(&p));
    if (list->count == before)
        return tn_fail(ctx, TN_ERR_ARG,
                       "no cell is left: nothing has these levels, ops, passes and sizes together; "
                       "`turnout sweep --help` lists the axes");
    return cross_cores(&p, before);
}

void tn_cells_keep(tn_cell_list *list, const tn_shard *shard) {
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++) {
        tn_cost_row row;
        char work[1400];
        tn_sweep_cell_identify(&list->items[i], 0, "", &row);
        tn_row_work_name(&row, work, sizeof work);
        if (tn_shard_has(shard, work))
            list->items[kept++] = list->items[i];
    }
    list->count = kept;
}

void tn_cell_list_free(tn_context *ctx, tn_cell_list *list) {
    tn_free(ctx, list->items);
    *list = (tn_cell_list){0};
}

void tn_cells_shuffle(tn_cell_list *list, uint64_t seed) {
    tn_rng rng = tn_rng_make(seed, TN_RNG_MEASURE, 0);
    for (size_t i = list->count; i > 1; i--) {
        size_t j = tn_rng_below(&rng, (uint32_t)i);
        tn_sweep_cell kept = list->items[i - 1];
        list->items[i - 1] = list->items[j];
        list->items[j] = kept;
    }
}

#include "run_summary.h"

#include "build.h"
#include "file.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

tn_status tn_run_summary_make(tn_model *m, const tn_train_config *c, int64_t count,
                              const tn_savings_options *timing, tn_run_summary *out) {
    tn_context *ctx = tn_device_context(m->dev);
    tn_task *task;
    *out = (tn_run_summary){
        .config = *c, .model = m->config, .params = m->params.trainable, .steps = -1, .train_s = NAN};
    out->device = *tn_device_get_info(m->dev);
    TN_TRY(tn_task_make(ctx, &c->task, &task));
    tn_status status = TN_OK;
    if (tn_task_text(task))
        out->text = *tn_task_text(task);
    if (tn_task_vocab(task) != m->config.vocab)
        status =
            tn_fail(ctx, TN_ERR_ARG,
                    "the model has a vocabulary of %lld, the task one of %lld: it was trained on another",
                    (long long)m->config.vocab, (long long)tn_task_vocab(task));
    int64_t held_out = tn_task_held_out(task);
    if (status == TN_OK)
        status =
            tn_evaluate(m, task, 0, held_out && held_out < count ? held_out : count, 0, &out->evaluation);
    if (status == TN_OK)
        status = tn_savings_measure(m, task, timing, out->evaluation.flops_attention / out->evaluation.flops,
                                    &out->savings);
    out->tunables = tn_tunable_source_of(m->dev, NULL);
    tn_task_free(ctx, task);
    return status;
}

/* A share saved, in percent: 100·(1 − mine/dense). */
static double saved(double mine, double dense) {
    return dense > 0 ? 100 * (1 - mine / dense) : 0;
}

static void set_number(json_t *root, const char *name, double value) {
    json_object_set_new(root, name, isfinite(value) ? json_real(value) : json_null());
}

static void set_task(json_t *root, const tn_run_summary *s) {
    const tn_task_config *t = &s->config.task;
    json_object_set_new(root, "task", json_string(tn_task_kind_name(t->kind)));
    json_object_set_new(root, "distance",
                        t->kind == TN_TASK_RECALL ? json_integer(t->distance) : json_null());
    json_object_set_new(root, "length", t->kind != TN_TASK_RECALL ? json_integer(t->length) : json_null());
    json_object_set_new(root, "pairs", t->kind == TN_TASK_MQAR ? json_integer(t->pairs) : json_null());
}

static void set_text(json_t *root, const tn_text_facts *f) {
    const struct {
        const char *name;
        int64_t value;
    } counts[] = {{"data_files", f->files},
                  {"data_documents", f->documents},
                  {"data_bytes", f->bytes},
                  {"held_documents", f->held_documents},
                  {"held_bytes", f->held_bytes}};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        json_object_set_new(root, counts[i].name, json_integer(counts[i].value));
}

static void set_model(json_t *root, const tn_run_summary *s) {
    char mixer[TN_CONFIG_TEXT], routing[TN_CONFIG_TEXT];
    tn_model_config_field(&s->model, 6, mixer);
    tn_model_config_field(&s->model, 7, routing);
    json_object_set_new(root, "mixer", json_string(mixer));
    json_object_set_new(root, "window", s->model.window > 0 ? json_integer(s->model.window) : json_null());
    json_object_set_new(root, "routing", tn_mixer_has_router(&s->model) ? json_string(routing) : json_null());
    json_object_set_new(root, "curriculum",
                        tn_mixer_has_router(&s->model) ? json_boolean(s->config.curriculum.enabled)
                                                       : json_null());
    json_object_set_new(root, "seed", json_integer((json_int_t)s->config.seed));
    json_object_set_new(root, "steps", s->steps >= 0 ? json_integer(s->steps) : json_null());
    json_object_set_new(root, "params", json_integer(s->params));
    json_object_set_new(root, "device", json_string(s->device.name));
    json_object_set_new(root, "platform", json_string(s->device.platform_name));
    json_object_set_new(root, "driver", json_string(s->device.driver));
    json_object_set_new(root, "tuned", json_string(tn_tunable_source_name(s->tunables)));
}

/* Attention against itself saves nothing, whatever the noise of two timings says: no numbers. */
static void set_savings(json_t *root, const tn_run_summary *s) {
    const tn_evaluation *e = &s->evaluation;
    bool own = s->savings.own;
    set_number(root, "score_flops_saved_pct", own ? NAN : saved(e->score_flops, e->score_flops_attention));
    set_number(root, "all_flops_saved_pct", own ? NAN : saved(e->flops, e->flops_attention));
    set_number(root, "time_saved_pct", s->savings.time_saved_pct);
    set_number(root, "time_saved_pct_q1", s->savings.time_saved_pct_q1);
    set_number(root, "time_saved_pct_q3", s->savings.time_saved_pct_q3);
    json_object_set_new(root, "energy_saved_pct",
                        own                    ? json_null()
                        : s->savings.energy_ok ? json_real(s->savings.energy_saved_pct)
                                               : json_string("unmeasured"));
    set_number(root, "energy_saved_pct_low", s->savings.energy_ok ? s->savings.energy_saved_pct_low : NAN);
    set_number(root, "energy_saved_pct_high", s->savings.energy_ok ? s->savings.energy_saved_pct_high : NAN);
    json_object_set_new(root, "energy_source", json_string(s->savings.energy_source));
    set_number(root, "eval_ms_per_sequence", s->savings.ms_per_sequence);
    set_number(root, "attention_eval_ms_per_sequence", s->savings.dense_ms_per_sequence);
}

json_t *tn_run_summary_json(const tn_run_summary *s) {
    const tn_evaluation *e = &s->evaluation;
    json_t *root = json_object(), *layers = json_array();
    set_task(root, s);
    if (s->config.task.kind == TN_TASK_TEXT)
        set_text(root, &s->text);
    set_model(root, s);
    json_object_set_new(root, "eval_sequences", json_integer(e->sequences));
    set_number(root, "accuracy", e->accuracy);
    set_number(root, "cross_entropy", e->cross_entropy);
    set_number(root, "bits_per_byte", s->config.task.kind == TN_TASK_TEXT ? e->cross_entropy / log(2) : NAN);
    set_number(root, "bits_last_quarter", tn_text_bits_last_quarter(&e->bits));
    set_number(root, "attention_pct", e->attention_pct);
    for (int64_t i = 0; i < s->model.layers; i++)
        json_array_append_new(layers, json_real(e->attention_pct_layers[i]));
    json_object_set_new(root, "attention_pct_layers", layers);
    set_number(root, "attention_pairs_pct", e->pairs_pct);
    set_number(root, "rows_per_sequence", e->rows_per_sequence);
    set_number(root, "floor_pct", e->floor_pct);
    set_number(root, "oracle_precision", e->oracle_precision >= 0 ? e->oracle_precision : NAN);
    set_number(root, "oracle_recall", e->oracle_recall >= 0 ? e->oracle_recall : NAN);
    set_savings(root, s);
    set_number(root, "train_s", s->train_s);
    bool priced = s->config.row_cost.unrouted_ms > 0;
    set_number(root, "routed_row_ms", priced ? s->config.row_cost.routed_ms : NAN);
    set_number(root, "unrouted_row_ms", priced ? s->config.row_cost.unrouted_ms : NAN);
    json_object_set_new(root, "status", json_string("ok"));
    json_object_set_new(root, "version", json_string(tn_build_version()));
    const char *energy = s->savings.energy_ok ? "" : s->savings.energy_source;
    json_object_set_new(root, "reason", json_string(s->savings.note[0] ? s->savings.note : energy));
    return root;
}

tn_status tn_run_summary_write(tn_context *ctx, const tn_run_summary *s, FILE *stream) {
    json_t *root = tn_run_summary_json(s);
    int bad = json_dumpf(root, stream, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
    json_decref(root);
    fputc('\n', stream);
    return bad ? tn_fail(ctx, ferror(stream) ? TN_ERR_WRITE : TN_ERR_OUTPUT,
                         "the summary could not be written")
               : TN_OK;
}

tn_status tn_run_summary_save(tn_context *ctx, const tn_run_summary *s, const char *path) {
    tn_outfile file;
    TN_TRY(tn_outfile_open(ctx, path, &file));
    return tn_outfile_end(ctx, &file, tn_run_summary_write(ctx, s, file.stream));
}

static void print_saved(const tn_run_summary *s, FILE *stream) {
    const tn_evaluation *e = &s->evaluation;
    const tn_savings *v = &s->savings;
    fputs("saved              ", stream);
    if (v->own) {
        fprintf(stream, "n/a: %s\n", v->note);
        return;
    }
    fprintf(stream, "score FLOPs %.2f %%, all FLOPs %.2f %%", saved(e->score_flops, e->score_flops_attention),
            saved(e->flops, e->flops_attention));
    if (isfinite(v->time_saved_pct))
        fprintf(stream, ", time %.2f %% (%.2f..%.2f)", v->time_saved_pct, v->time_saved_pct_q1,
                v->time_saved_pct_q3);
    if (v->energy_ok)
        fprintf(stream, ", energy %.2f %% (%.2f..%.2f)\n", v->energy_saved_pct, v->energy_saved_pct_low,
                v->energy_saved_pct_high);
    else
        fprintf(stream, ", energy %s\n", v->energy_source);
    if (v->note[0])
        fprintf(stream, "                   %s\n", v->note);
}

static void print_time(const tn_run_summary *s, FILE *stream) {
    const tn_savings *v = &s->savings;
    fprintf(stream, "time               %.4f ms a sequence", v->ms_per_sequence);
    if (isfinite(v->dense_ms_per_sequence))
        fprintf(stream, ", attention mixer %.4f ms", v->dense_ms_per_sequence);
    fprintf(stream, ", in batches of %lld on %s\n", (long long)v->batch, s->device.name);
}

void tn_run_summary_print(const tn_run_summary *s, FILE *stream) {
    const tn_evaluation *e = &s->evaluation;
    fprintf(stream, "accuracy           %.4f  over %lld held-out sequences (cross-entropy %.4f)\n",
            e->accuracy, (long long)e->sequences, e->cross_entropy);
    if (s->config.task.kind == TN_TASK_TEXT) {
        char words[TN_TEXT_WORDS];
        fprintf(stream, "%s\n", tn_text_facts_say(&s->text, words));
        fprintf(stream, "bits per byte      %.4f, in the last quarter of the sequence %.4f\n",
                e->cross_entropy / log(2), tn_text_bits_last_quarter(&e->bits));
    }
    fprintf(stream, "attention          %.4f %% of rows", e->attention_pct);
    if (e->floor_pct > 0)
        fprintf(stream, "  (floor %.4f %%)", e->floor_pct);
    fprintf(stream, ", %.3f rows a sequence, %.4f %% of score pairs\n  by layer        ",
            e->rows_per_sequence, e->pairs_pct);
    for (int64_t i = 0; i < s->model.layers; i++)
        fprintf(stream, " %.4f", e->attention_pct_layers[i]);
    fputs(" %\n", stream);
    print_saved(s, stream);
    print_time(s, stream);
}

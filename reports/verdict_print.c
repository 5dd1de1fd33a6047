/* The verdict as sentences, as a table of devices, as JSON. */
#include "verdict.h"

#include "text_file.h"

#include <math.h>
#include <string.h>

static const char *const work_names[TN_WORKS] = {
    [TN_WORK_LAYER] = "a routed layer",
    [TN_WORK_STEP] = "a training step",
    [TN_WORK_RECALL] = "the recall model",
    [TN_WORK_DECODE] = "a decoded token",
};
static const char *const topic_names[TN_TOPICS] = {"pays",   "breakeven", "recall",
                                                   "decode", "step",      "ceilings"};

const char *tn_work_name(tn_work_kind work) {
    return work_names[work];
}

static double amount_of(const tn_device_verdict *v, tn_work_kind work, bool energy) {
    return energy ? v->works[work].energy_j : v->works[work].ms;
}

/* The shape that most devices have: what they can be held against each other at. */
static const char *common_shape(const tn_verdicts *v, tn_work_kind work, bool energy, size_t *devices) {
    const char *best = NULL;
    *devices = 0;
    for (size_t i = 0; i < v->count; i++) {
        size_t same = 0;
        for (size_t k = 0; k < v->count; k++)
            same += amount_of(&v->items[k], work, energy) > 0 &&
                    strcmp(v->items[i].works[work].shape, v->items[k].works[work].shape) == 0;
        if (amount_of(&v->items[i], work, energy) > 0 && same > *devices) {
            *devices = same;
            best = v->items[i].works[work].shape;
        }
    }
    return best;
}

int tn_verdicts_best(const tn_verdicts *v, tn_work_kind work, bool energy, bool *sure) {
    size_t devices;
    const char *shape = common_shape(v, work, energy, &devices);
    int best = -1;
    *sure = false;
    if (devices < 2)
        return -1;
    for (size_t i = 0; i < v->count; i++)
        if (amount_of(&v->items[i], work, energy) > 0 && strcmp(v->items[i].works[work].shape, shape) == 0 &&
            (best < 0 || amount_of(&v->items[i], work, energy) < amount_of(&v->items[best], work, energy)))
            best = (int)i;
    *sure = !energy;
    for (size_t i = 0; i < v->count; i++)
        if ((int)i != best && v->items[i].works[work].ms > 0 &&
            strcmp(v->items[i].works[work].shape, shape) == 0)
            *sure = *sure && v->items[best].works[work].ms_q3 < v->items[i].works[work].ms_q1;
    return best;
}

bool tn_verdicts_take(const tn_verdicts *v, tn_work_kind work, char *text, size_t size) {
    bool sure, sure_energy;
    const int best = tn_verdicts_best(v, work, false, &sure),
              saver = tn_verdicts_best(v, work, true, &sure_energy);
    if (best < 0)
        return false;
    const tn_device_verdict *d = &v->items[best];
    int used = snprintf(text, size, "For %s (%s) take %s: %.3g ms", work_names[work], d->works[work].shape,
                        d->label, d->works[work].ms);
    if (!sure && isfinite(d->works[work].ms_q1) && used > 0 && (size_t)used < size)
        used += snprintf(text + used, size - (size_t)used, ", though the quartiles of another reach as far");
    if (used > 0 && (size_t)used < size && saver < 0)
        snprintf(text + used, size - (size_t)used, "; by energy: not measured on two of them.");
    else if (used > 0 && (size_t)used < size)
        snprintf(text + used, size - (size_t)used, "; by energy %s: %.3g J.",
                 saver == best ? "too" : v->items[saver].label, v->items[saver].works[work].energy_j);
    return true;
}

static tn_status work_cell(tn_text_table *table, const tn_verdicts *v, size_t device, tn_work_kind work,
                           bool energy) {
    bool sure;
    const double amount = amount_of(&v->items[device], work, energy);
    size_t devices;
    const char *shape = common_shape(v, work, energy, &devices);
    if (!(amount > 0))
        return tn_text_table_cell(table, "not measured");
    const bool other = strcmp(shape, v->items[device].works[work].shape) != 0;
    return tn_text_table_cell(table, "%.3g%s%s", amount,
                              tn_verdicts_best(v, work, energy, &sure) == (int)device ? " *" : "",
                              other ? " (another shape)" : "");
}

/* A column of energy where a device has one. */
static bool any_energy(const tn_verdicts *v, tn_work_kind work) {
    for (size_t i = 0; i < v->count; i++)
        if (v->items[i].works[work].energy_j > 0)
            return true;
    return false;
}

static tn_status print_table(const tn_verdicts *v, FILE *stream, tn_table_format format) {
    char words[1 + 2 + 2 * TN_WORKS][80];
    const char *titles[1 + 2 + 2 * TN_WORKS];
    size_t columns = 0;
    tn_text_table *table;
    snprintf(words[columns++], sizeof words[0], "device");
    snprintf(words[columns++], sizeof words[0], "routing pays from");
    snprintf(words[columns++], sizeof words[0], "faster below");
    for (int work = 0; work < TN_WORKS; work++) {
        snprintf(words[columns++], sizeof words[0], "%s, ms", work_names[work]);
        if (any_energy(v, (tn_work_kind)work))
            snprintf(words[columns++], sizeof words[0], "%s, J", work_names[work]);
    }
    for (size_t i = 0; i < columns; i++)
        titles[i] = words[i];
    TN_TRY(tn_text_table_make(v->ctx, titles, columns, &table));
    tn_status status = TN_OK;
    for (size_t i = 0; i < v->count; i++) {
        TN_GO(tn_text_table_cell(table, "%s", v->items[i].label));
        TN_GO(tn_text_table_cell(table, "%s", v->items[i].findings[TN_TOPIC_PAYS].figure));
        TN_GO(tn_text_table_cell(table, "%s", v->items[i].findings[TN_TOPIC_BREAKEVEN].figure));
        for (int work = 0; work < TN_WORKS; work++) {
            TN_GO(work_cell(table, v, i, (tn_work_kind)work, false));
            if (any_energy(v, (tn_work_kind)work))
                TN_GO(work_cell(table, v, i, (tn_work_kind)work, true));
        }
    }
    TN_GO(tn_text_table_print(table, stream, format));
    fputs("\n* the best of its column\n\n", stream);
cleanup:
    tn_text_table_free(table);
    return status;
}

tn_status tn_verdicts_print(const tn_verdicts *v, FILE *stream, tn_table_format format) {
    const char *bullet = format == TN_TABLE_MARKDOWN ? "- " : "  ";
    char text[1400];
    if (v->count > 1) {
        TN_TRY(print_table(v, stream, format));
        for (int work = 0; work < TN_WORKS; work++)
            if (tn_verdicts_take(v, (tn_work_kind)work, text, sizeof text))
                fprintf(stream, "%s%s\n", bullet, text);
        fputs("\n", stream);
    }
    for (size_t i = 0; i < v->count; i++) {
        fprintf(stream, format == TN_TABLE_MARKDOWN ? "**On %s:**\n\n" : "On %s:\n", v->items[i].label);
        for (int topic = 0; topic < TN_TOPICS; topic++)
            fprintf(stream, "%s%s\n", bullet, v->items[i].findings[topic].sentence);
        if (i + 1 < v->count)
            fputs("\n", stream);
    }
    return TN_OK;
}

static json_t *real_json(double value) {
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *device_json(const tn_verdicts *v, size_t device) {
    const tn_device_verdict *d = &v->items[device];
    json_t *findings = json_array(), *works = json_array();
    bool sure;
    for (int topic = 0; topic < TN_TOPICS; topic++) {
        const tn_finding *f = &d->findings[topic];
        json_t *object =
            json_pack("{s:s, s:b, s:o, s:o, s:o}", "topic", topic_names[topic], "measured", (int)f->measured,
                      "value", real_json(f->value), "low", real_json(f->low), "high", real_json(f->high));
        json_object_set_new(object, "title", tn_text_json(f->title));
        json_object_set_new(object, "figure", tn_text_json(f->figure));
        json_object_set_new(object, "detail", tn_text_json(f->detail));
        json_object_set_new(object, "sentence", tn_text_json(f->sentence));
        json_array_append_new(findings, object);
    }
    for (int work = 0; work < TN_WORKS; work++)
        json_array_append_new(
            works,
            json_pack("{s:s, s:o, s:o, s:o, s:b, s:b}", "work", work_names[work], "shape",
                      tn_text_json(d->works[work].shape), "ms", real_json(d->works[work].ms), "energy_j",
                      real_json(d->works[work].energy_j), "best",
                      tn_verdicts_best(v, (tn_work_kind)work, false, &sure) == (int)device, "best_energy",
                      tn_verdicts_best(v, (tn_work_kind)work, true, &sure) == (int)device));
    return json_pack("{s:o, s:o, s:o}", "device", tn_text_json(d->label), "findings", findings, "works",
                     works);
}

json_t *tn_verdicts_json(const tn_verdicts *v) {
    json_t *devices = json_array(), *take = json_array();
    char text[1400];
    for (size_t i = 0; i < v->count; i++)
        json_array_append_new(devices, device_json(v, i));
    for (int work = 0; work < TN_WORKS; work++)
        if (tn_verdicts_take(v, (tn_work_kind)work, text, sizeof text))
            json_array_append_new(take, tn_text_json(text));
    return json_pack("{s:o, s:o}", "devices", devices, "take", take);
}

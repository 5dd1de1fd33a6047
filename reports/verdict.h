/* The verdict: what rows and runs answer about each device, in sentences with numbers and how well each is
 * known; and of several devices, which to take for which work. Nothing is guessed: what no row answers is
 * said to be not measured. */
#ifndef TN_VERDICT_H
#define TN_VERDICT_H

#include "inputs.h"
#include "text_table.h"

typedef enum tn_topic {
    TN_TOPIC_PAYS,      /* from which length routing pays */
    TN_TOPIC_BREAKEVEN, /* below which routed fraction, at T = 4096 or the length nearest to it */
    TN_TOPIC_RECALL,    /* the recall model's time and energy, of attention's, far from where it learned */
    TN_TOPIC_DECODE,    /* a decoded token's, at the longest context */
    TN_TOPIC_STEP,      /* a training step's */
    TN_TOPIC_CEILINGS,  /* how far kernels are from what the device was measured to be able to */
    TN_TOPICS
} tn_topic;

typedef struct tn_finding {
    bool measured;
    double value, low, high; /* low and high: quartiles; NaN where there are none, or no one number */
    char title[48];          /* of a card: "Routing pays from" */
    char figure[48];         /* "T ≥ 256", "6.4 %"; "not measured" */
    char detail[256];        /* "quartiles 0.95 … 0.98, T = 4096" */
    char sentence[768];
} tn_finding;

/* Work that every device can be asked to do, by a shape that is the same on all of them. */
typedef enum tn_work_kind {
    TN_WORK_LAYER,
    TN_WORK_STEP,
    TN_WORK_RECALL,
    TN_WORK_DECODE,
    TN_WORKS
} tn_work_kind;

typedef struct tn_work {
    double ms, energy_j; /* of one call, sequence or token; NaN: not measured */
    double ms_q1, ms_q3;
    char shape[96]; /* "T=4096 D=64 ρ=0.01": works of other shapes are not compared */
} tn_work;

typedef struct tn_device_verdict {
    const tn_device_id *id; /* borrowed from the inputs */
    char label[512];
    tn_finding findings[TN_TOPICS];
    tn_work works[TN_WORKS];
} tn_device_verdict;

typedef struct tn_verdicts {
    tn_context *ctx;
    tn_device_verdict *items; /* in the order of the inputs' devices */
    size_t count, capacity;
} tn_verdicts;

/* Devices are those of the cost rows. A run belongs to the device whose cost rows stand in its folder or
 * above, else to the one of its name and platform, if there is only one. */
tn_status tn_verdicts_make(const tn_inputs *in, tn_verdicts *out);
void tn_verdicts_free(tn_verdicts *v); /* fine on a zeroed one */

/* The device that is best at a work by time, or by energy, among those measured at the shape that most have;
 * −1 where fewer than two are. `*sure`: its upper quartile is below every other's lower one. */
int tn_verdicts_best(const tn_verdicts *v, tn_work_kind work, bool energy, bool *sure);
const char *tn_work_name(tn_work_kind work); /* "a routed layer" */

/* Sentences, a line each; of several devices a table first, the best of a column marked with *, and which one
 * to take for what. Markdown or text. */
tn_status tn_verdicts_print(const tn_verdicts *v, FILE *stream, tn_table_format format);
/* {devices: [{device, findings: [{topic, measured, title, figure, detail, sentence, value, low, high}],
 * works: [{work, shape, ms, energy_j, best, best_energy}]}], take: [sentences]}. Caller releases. */
json_t *tn_verdicts_json(const tn_verdicts *v);
/* The n-th sentence about which device to take, into `text`; false where there is none. */
bool tn_verdicts_take(const tn_verdicts *v, tn_work_kind work, char *text, size_t size);

#endif

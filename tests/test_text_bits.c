/* Bits of text by place: the kinds and distances of strings that were gone through by hand, buckets that
 * share out the whole, and the rows that eval and study write of them. */
#include "made_run.h"
#include "program.h"

#include "bits_table.h"
#include "evaluate.h"
#include "routes.h"
#include "study_bits.h"

#include <math.h>

enum { LENGTH = 64, SEQUENCES = 20 };

static tn_context ctx;
static int64_t task_length = LENGTH; /* of the task that make() makes */

static void leave(void) {
    test_folder_leave();
    ck_assert_int_eq(ctx.live, 0);
}

/* The text as a window of its own: the letter of a kind for every byte but the first, which nobody
 * predicts. */
static int64_t find(tn_text_places *p, const char *text, char kinds[LENGTH]) {
    static const char letters[TN_TEXT_KINDS + 1] = "IKCSNPO";
    int32_t tokens[LENGTH], labels[LENGTH];
    size_t length = strlen(text);
    ck_assert_uint_le(length, LENGTH);
    for (size_t t = 0; t < LENGTH; t++) {
        tokens[t] = t < length ? (unsigned char)text[t] : 0;
        labels[t] = t + 1 < length ? (unsigned char)text[t + 1] : -1;
    }
    int64_t n = tn_text_places_find(p, tokens, labels);
    for (int64_t t = 0; t < n; t++)
        kinds[t] = letters[p->kinds[t]];
    kinds[n] = '\0';
    return n;
}

static const struct {
    const char *text, *kinds; /* I indentation, K copy, C its start, S and N names, P punctuation, O other */
    int64_t from, to, back;   /* the positions before which 8 bytes stood already, and how far back */
} by_hand[] = {
    {"foo = foobar12(x)\n\t foo\n", "NNOPONNNNNNNNPNPPIISSSP", 0, 0, 0},
    {"alpha(beta); x=alpha(beta); y", "NNNNPNNNNPPONPCSSSSPSSKKKKKK", 22, 28, 15},
    {"a\n        b\n        c", "PIIIIIIIINPIIIIIIIIN", 18, 20, 10}, /* white space is no copy */
    {"abababababab", "NCNNNNNNNKK", 9, 11, 2},
    {"foobar bar bar", "NNNNNONNNOSSS", 0, 0, 0}, /* the end of a name is no name */
    {"\xc3\xa9t\xc3\xa9 12ab \xc3\xa9t\xc3\xa9\t", "NNNNOOOOOOSSSSSO", 0, 0, 0},
    {"x", "", 0, 0, 0},
    {"abcdefgh", "NNNNNNN", 0, 0, 0} /* stood in the second window, and that counts for nothing */
};

START_TEST(test_places) {
    tn_text_places p;
    char kinds[LENGTH + 1];
    ck_ok(&ctx, tn_text_places_make(&ctx, LENGTH, &p));
    for (size_t i = 0; i < sizeof by_hand / sizeof by_hand[0]; i++) {
        int64_t n = find(&p, by_hand[i].text, kinds);
        ck_assert_int_eq(n, (int64_t)strlen(by_hand[i].text) - 1);
        ck_assert_msg(strcmp(kinds, by_hand[i].kinds) == 0, "'%s' gives %s", by_hand[i].text, kinds);
        for (int64_t t = 0; t < n; t++)
            ck_assert_int_eq(p.repeat[t], t >= by_hand[i].from && t < by_hand[i].to ? by_hand[i].back : 0);
    }
    tn_text_places_free(&ctx, &p);
}
END_TEST

START_TEST(test_buckets) {
    static const struct {
        int32_t back;
        const char *name;
    } wanted[] = {{0, "none"},     {1, "1..31"},    {31, "1..31"},     {32, "32..63"},   {63, "32..63"},
                  {64, "64..127"}, {99, "64..127"}, {128, "128..255"}, {511, "256..511"}};
    tn_text_bits b = {.layers = 2, .T = 512};
    uint8_t kind = TN_TEXT_COPY, routes[2] = {1, 0};
    tn_text_places p = {.kinds = &kind};
    char name[TN_BITS_NAME];
    float loss = 2;
    ck_assert_int_eq(tn_text_bits_count(&b, TN_BITS_DISTANCE), 6);
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        int32_t back = wanted[i].back;
        p.repeat = &back;
        tn_text_bits one = {.layers = 2, .T = 512};
        tn_text_bits_add(&one, &p, 1, &loss, routes, 1);
        tn_text_bits_add(&b, &p, 1, &loss, routes, 1);
        for (int k = 0; k < TN_BITS_BUCKETS; k++)
            if (one.buckets[TN_BITS_DISTANCE][k].bytes)
                ck_assert_str_eq(tn_text_bits_name(TN_BITS_DISTANCE, k, name), wanted[i].name);
    }
    const tn_bits_bucket *copies = &b.buckets[TN_BITS_KIND][TN_TEXT_COPY];
    ck_assert_int_eq(copies->bytes, 9);
    ck_assert_double_eq_tol(tn_bits_per_byte(copies), 2 / log(2), 1e-12);
    ck_assert_double_eq_tol(tn_bits_routed_pct(&b, copies), 50, 1e-12);
    ck_assert(isnan(tn_bits_per_byte(&b.buckets[TN_BITS_KIND][TN_TEXT_OTHER])));
}
END_TEST

/* Words of a small stock in lines: names come back, some of them with what was behind them. */
static void write_text(const char *name) {
    static const char *const words[] = {"self", ".value", " = ", "\n        ", "return ", "(index)",
                                        "name", "tokens", "42",  ", ",         "left",    "\n"};
    tn_rng rng = tn_rng_make(4, TN_RNG_CASE, 0);
    char text[20000];
    size_t used = 0;
    while (used < sizeof text - 20)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s", words[tn_rng_below(&rng, 12)]);
    test_folder_write(name, text);
}

static void make(const char *mixer, tn_device **dev, tn_model **m, tn_task **task) {
    const made_run run = {"run", TN_TASK_TEXT, mixer, NULL, TN_POSITIONS_ROPE};
    ck_ok(&ctx, tn_device_open_selected(&ctx, getenv("TURNOUT_DEVICE"), dev));
    write_text("text");
    tn_train_config c = made_config(&ctx, &run);
    c.task.length = task_length;
    ck_ok(&ctx, tn_model_create(*dev, &c.model, true, m));
    made_weights(&ctx, *m, 3);
    ck_ok(&ctx, tn_task_make(&ctx, &c.task, task));
}

/* Bits a byte of the last quarter, from logits, in double. */
static double last_quarter(tn_model *m, const tn_task *task) {
    const int64_t T = tn_task_length(task), V = tn_task_vocab(task);
    float *logits = calloc((size_t)(T * V), sizeof *logits);
    double sum = 0;
    tn_workspace *ws;
    tn_batch batch;
    ck_ok(&ctx, tn_workspace_create(m, 1, T, &ws));
    ck_ok(&ctx, tn_batch_make(&ctx, 1, T, &batch));
    for (uint64_t s = 0; s < SEQUENCES; s++) {
        ck_ok(&ctx, tn_task_fill(&ctx, task, TN_RNG_EVAL, s, &batch));
        const tn_input in = {
            .B = 1, .T = T, .tokens = batch.tokens, .L = T, .control_seed = 1, .control_index = s};
        ck_ok(&ctx, tn_model_forward(m, ws, &in, TN_GATE_COMPACT, NULL, NULL));
        ck_ok(&ctx, tn_buffer_read(tn_workspace_logits(ws), 0, (size_t)(T * V) * sizeof *logits, logits));
        for (int64_t t = 3 * T / 4; t < T; t++) {
            double total = 0, label = (double)logits[t * V + batch.labels[t]];
            for (int64_t v = 0; v < V; v++)
                total += exp((double)logits[t * V + v] - label);
            sum += log2(total);
        }
    }
    tn_batch_free(&ctx, &batch);
    tn_workspace_destroy(ws);
    free(logits);
    return sum / (double)(SEQUENCES * (T / 4));
}

START_TEST(test_sums) {
    static const char *const mixers[] = {"routed", "attention", "conv"};
    tn_device *dev;
    tn_model *m;
    tn_task *task;
    tn_evaluation e;
    test_folder_enter();
    make(mixers[_i], &dev, &m, &task);
    ck_ok(&ctx, tn_evaluate(m, task, 0, SEQUENCES, 7, &e)); /* a last batch that is smaller, too */
    ck_assert(_i > 0 ? e.attention_pct == (_i == 1 ? 100 : 0) : e.attention_pct > 1 && e.attention_pct < 99);
    for (int by = 0; by < TN_BITS_BYS; by++) {
        int64_t bytes = 0, routed = 0, buckets = 0;
        double nats = 0;
        for (int i = 0; i < tn_text_bits_count(&e.bits, (tn_bits_by)by); i++) {
            const tn_bits_bucket *b = &e.bits.buckets[by][i];
            bytes += b->bytes;
            routed += b->routed;
            nats += b->nats;
            buckets += b->bytes > 0;
        }
        ck_assert_int_ge(buckets, 3);
        ck_assert_int_eq(bytes, e.labels);
        ck_assert_double_eq_tol(nats / (double)bytes / log(2), e.cross_entropy / log(2), 1e-6);
        ck_assert_double_eq_tol(100 * (double)routed / (double)(MADE_LAYERS * bytes), e.attention_pct, 1e-9);
    }
    ck_assert_double_eq_tol(tn_text_bits_last_quarter(&e.bits), last_quarter(m, task), 1e-4);
    tn_task_free(&ctx, task);
    tn_model_destroy(m);
    tn_device_close(dev);
    leave();
}
END_TEST

/* Text is written out whole in the first layer; of the others what is routed, and the ends. */
START_TEST(test_routes) {
    tn_device *dev;
    tn_model *m;
    tn_task *task;
    tn_batch batch;
    long sequence, layer, position, token, routed;
    int64_t next[2] = {0};
    char line[100];
    test_folder_enter();
    task_length = 300;
    make("routed", &dev, &m, &task);
    ck_ok(&ctx, tn_routes_write(m, task, 1, "routes.csv"));
    ck_ok(&ctx, tn_batch_make(&ctx, 1, task_length, &batch));
    ck_ok(&ctx, tn_task_fill(&ctx, task, TN_RNG_EVAL, 0, &batch));
    FILE *stream = fopen("routes.csv", "rb");
    ck_assert(stream && fgets(line, sizeof line, stream));
    while (fgets(line, sizeof line, stream)) {
        ck_assert_int_eq(sscanf(line, "%ld,%ld,%ld,%ld,%ld,", &sequence, &layer, &position, &token, &routed),
                         5);
        ck_assert_int_eq(token, batch.tokens[position]);
        ck_assert(layer == 0 ? position == next[0] : routed || position < 8 || position >= task_length - 8);
        next[layer]++;
    }
    ck_assert_int_eq(next[0], task_length);
    ck_assert(next[1] > 16 && next[1] < task_length);
    fclose(stream);
    tn_batch_free(&ctx, &batch);
    tn_task_free(&ctx, task);
    tn_model_destroy(m);
    tn_device_close(dev);
    leave();
}
END_TEST

static size_t rows_of(const tn_csv *t, const char *name, double *bytes) {
    size_t count = 0;
    *bytes = 0;
    for (size_t row = 0; row < t->rows; row++) {
        double value;
        if (strcmp(tn_csv_text(t, row, tn_csv_column(t, "name")), name) != 0)
            continue;
        ck_assert(tn_csv_number(t, row, tn_csv_column(t, "bytes"), &value));
        *bytes += value;
        count++;
    }
    return count;
}

/* Rows of a name take the place of its old ones, the others stay; nothing is lost of a file that is none. */
START_TEST(test_put) {
    static tn_run_summary s = {.config = {.seed = 3}, .evaluation = {.bits = {.layers = 1, .T = 256}}};
    static const struct {
        const char *name;
        int64_t bytes;
    } puts[] = {{"text-a-s3", 10}, {"text-b,\"s3\"", 20}, {"text-a-s3", 30}};
    tn_csv t;
    double bytes;
    test_folder_enter();
    for (size_t i = 0; i < sizeof puts / sizeof puts[0]; i++) {
        s.evaluation.bits.buckets[TN_BITS_KIND][TN_TEXT_COPY] =
            (tn_bits_bucket){.bytes = puts[i].bytes, .routed = 1, .nats = 1};
        ck_ok(&ctx, tn_bits_put(&ctx, &s, puts[i].name, "run", "bits.csv"));
    }
    ck_ok(&ctx, tn_bits_read(&ctx, "bits.csv", &t));
    ck_assert_uint_eq(rows_of(&t, puts[0].name, &bytes), TN_TEXT_KINDS + 5 + 4);
    ck_assert(bytes == 30);
    ck_assert_uint_eq(rows_of(&t, puts[1].name, &bytes), TN_TEXT_KINDS + 5 + 4);
    ck_assert(bytes == 20);
    ck_assert_uint_eq(t.rows, 2 * (TN_TEXT_KINDS + 5 + 4));
    tn_csv_free(&t);
    test_folder_write("bits.csv", "schema,bucket\nturnout-bits-1,4\n");
    ck_assert_int_eq(tn_bits_put(&ctx, &s, "text-a-s3", "run", "bits.csv"), TN_ERR_INPUT);
    ck_assert_int_eq(system("grep -q '^turnout-bits-1,4$' bits.csv && ! ls | grep -q part"), 0);
    leave();
}
END_TEST

START_TEST(test_program) {
    static const made_run text = {"run", TN_TASK_TEXT, "routed"}, recall = {"recall", TN_TASK_RECALL, "conv"};
    tn_device *dev;
    tn_csv t;
    double bytes;
    test_folder_enter();
    ck_ok(&ctx, tn_device_open_selected(&ctx, getenv("TURNOUT_DEVICE"), &dev));
    made_run_write(dev, &recall, 5);
    made_run_write(dev, &text, 5);
    ck_assert_int_eq(system("mv run 'text run'"), 0);
    tn_device_close(dev);
    program_gives(0, "eval 'text run/' --sequences 4 --seconds 0.02 --quiet --json --bits out.csv",
                  "\"bits_last_quarter\": ");
    ck_ok(&ctx, tn_bits_read(&ctx, "out.csv", &t));
    ck_assert_uint_eq(rows_of(&t, "text run", &bytes), t.rows);
    ck_assert(bytes == TN_BITS_BYS * 4 * 64);
    tn_csv_free(&t);
    program_gives(0, "eval 'text run' --sequences 4 --seconds 0.02 --quiet --bits - 2>/dev/null",
                  "schema,name,run", "position,4,");
    ck_assert(!strstr(program_output, "bits per byte"));
    program_gives(2, "eval 'text run' --json --bits -", "--bits and --json", "stdout");
    program_gives(2, "eval recall --bits new.csv", "--bits", "recall");
    program_gives(2, "eval 'text run' --bits 'text run/config.json'", "written over the input");
    ck_assert_int_eq(access("new.csv", F_OK), -1);
    program_gives(0, "eval recall --sequences 4 --seconds 0.02 --quiet --json",
                  "\"bits_last_quarter\": null");
    leave();
}
END_TEST

int main(void) {
    Suite *suite = suite_create("text_bits");
    TCase *tests = tcase_create("all");
    tcase_set_timeout(tests, 200);
    tcase_add_test(tests, test_places);
    tcase_add_test(tests, test_buckets);
    tcase_add_loop_test(tests, test_sums, 0, 3);
    tcase_add_test(tests, test_routes);
    tcase_add_test(tests, test_put);
    tcase_add_test(tests, test_program);
    suite_add_tcase(suite, tests);
    return tn_test_main(suite);
}

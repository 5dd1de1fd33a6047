#include "fuzz_targets.h"

#include "axis.h"
#include "case.h"
#include "commands.h"
#include "comparison.h"
#include "csv_read.h"
#include "layer_parts.h"
#include "options.h"
#include "pairs.h"
#include "report.h"
#include "rows.h"
#include "safetensors.h"
#include "shapes.h"
#include "step.h"
#include "study_table.h"
#include "trainer.h"
#include "tuned.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* A file in memory that holds the bytes; `path` names it. Closed by the caller. */
static int file_of(const uint8_t *bytes, size_t size, char path[64]) {
    int fd = memfd_create("fuzz", 0);
    if (fd < 0 || write(fd, bytes, size) != (ssize_t)size)
        abort();
    snprintf(path, 64, "/proc/self/fd/%d", fd);
    return fd;
}

static char scratch[64];

static void drop_scratch(void) {
    char line[128];
    snprintf(line, sizeof line, "rm -rf '%s'", scratch);
    if (system(line) != 0)
        fprintf(stderr, "%s is left behind\n", scratch);
}

/* A folder that goes with the process. */
static const char *scratch_folder(void) {
    if (!scratch[0]) {
        snprintf(scratch, sizeof scratch, "/tmp/turnout-fuzz-XXXXXX");
        if (!mkdtemp(scratch))
            abort();
        atexit(drop_scratch);
    }
    return scratch;
}

static void write_to(const char *path, const uint8_t *bytes, size_t size) {
    FILE *to = fopen(path, "wb");
    if (!to || fwrite(bytes, 1, size, to) != size || fclose(to) != 0)
        abort();
}

/* Bytes as a text: up to the first NUL. Caller frees. */
static char *text_of(const uint8_t *bytes, size_t size) {
    char *text = malloc(size + 1);
    if (!text)
        abort();
    memcpy(text, bytes, size);
    text[size] = '\0';
    return text;
}

static void nothing_lives(const tn_context *ctx) {
    if (ctx->live != 0) {
        fprintf(stderr, "%ld objects live on\n", (long)ctx->live);
        abort();
    }
}

static void csv(const uint8_t *bytes, size_t size) {
    tn_context ctx = {.quiet = true};
    char path[64];
    tn_csv table;
    tn_status (*const readers[])(tn_context *, const char *, tn_csv *) = {tn_csv_read, tn_csv_read_cost,
                                                                          tn_csv_read_metrics};
    int fd = file_of(bytes, size, path);
    for (size_t i = 0; i < sizeof readers / sizeof readers[0]; i++) {
        if (readers[i](&ctx, path, &table) == TN_OK)
            for (size_t r = 0; r < table.rows; r++)
                for (size_t k = 0; k < table.columns; k++) {
                    double value;
                    tn_csv_number(&table, r, (int)k, &value);
                }
        tn_csv_free(&table);
    }
    close(fd);
    nothing_lives(&ctx);
}

/* A whole page, and the comparison of a file with its copy. */
static void report(const uint8_t *bytes, size_t size) {
    static const char *const ends[] = {"a.csv", "b.csv", "report.html"};
    tn_context ctx = {.quiet = true};
    char names[3][96];
    for (int i = 0; i < 3; i++)
        snprintf(names[i], sizeof names[i], "%s/%s", scratch_folder(), ends[i]);
    write_to(names[0], bytes, size);
    write_to(names[1], bytes, size);
    const char *const paths[] = {names[0]};
    (void)tn_report_write(&ctx, paths, 1, names[2]);
    tn_comparison c;
    tn_compare_options options = {.noise_pct = -1, .threshold_pct = 5};
    if (tn_comparison_make(&ctx, names[0], names[1], &options, &c) == TN_OK) {
        FILE *to = fopen("/dev/null", "w");
        for (int format = TN_TABLE_TEXT; to && format <= TN_TABLE_JSON; format++)
            (void)tn_comparison_print(&c, to, (tn_table_format)format);
        if (to)
            fclose(to);
    }
    tn_comparison_free(&c);
    nothing_lives(&ctx);
}

static void row(const uint8_t *bytes, size_t size) {
    tn_context ctx = {.quiet = true};
    tn_cost_row out;
    char *text = text_of(bytes, size);
    (void)tn_row_parse(&ctx, text, &out);
    free(text);
    nothing_lives(&ctx);
}

static void safetensors(const uint8_t *bytes, size_t size) {
    tn_context ctx = {.quiet = true};
    char path[64];
    tn_safetensors file;
    tn_model_config model = tn_model_config_default(192);
    int fd = file_of(bytes, size, path);
    if (tn_safetensors_read(&ctx, path, &file) == TN_OK) {
        size_t sum = 0;
        for (int i = 0; i < file.count; i++)
            for (size_t k = 0; k < file.tensors[i].bytes; k++)
                sum += ((const uint8_t *)file.tensors[i].data)[k];
        if (sum == SIZE_MAX)
            abort();
        for (int i = 0; i < file.meta_count; i++)
            (void)tn_model_config_set(&ctx, &model, file.keys[i], file.values[i]);
        (void)tn_model_config_check(&ctx, &model);
        tn_safetensors_free(&ctx, &file);
    }
    close(fd);
    nothing_lives(&ctx);
}

static void config(const uint8_t *bytes, size_t size) {
    tn_context ctx = {.quiet = true};
    char path[64];
    tn_train_config c;
    int fd = file_of(bytes, size, path);
    if (tn_train_config_load(&ctx, path, &c) == TN_OK)
        (void)tn_train_config_check(&ctx, &c);
    close(fd);
    nothing_lives(&ctx);
}

static void tuned(const uint8_t *bytes, size_t size) {
    static char path[1024];
    static tn_device_info info;
    static tn_tuned out;
    tn_context ctx = {.quiet = true};
    if (!path[0]) {
        setenv("TURNOUT_TUNED_DIR", scratch_folder(), 1);
        unsetenv("TURNOUT_TUNED");
        snprintf(info.platform_name, sizeof info.platform_name, "P");
        snprintf(info.name, sizeof info.name, "D");
        if (tn_tuned_read(&ctx, &info, &out) != TN_OK)
            abort();
        snprintf(path, sizeof path, "%s", out.path);
    }
    write_to(path, bytes, size);
    char text[2048];
    if (tn_tuned_read(&ctx, &info, &out) == TN_OK)
        tn_tuned_describe(&out, text, sizeof text);
    nothing_lives(&ctx);
}

/* The first byte chooses the command, each line is a word. */
static void options(const uint8_t *bytes, size_t size) {
    static const tn_cli_command *const commands[] = {
        &tn_cmd_devices, &tn_cmd_verify, &tn_cmd_bench,   &tn_cmd_tune,  &tn_cmd_train,
        &tn_cmd_eval,    &tn_cmd_infer,  &tn_cmd_report,  &tn_cmd_study, &tn_cmd_sweep,
        &tn_cmd_compare, &tn_cmd_cell,   &tn_cmd_generate};
    tn_context ctx = {.quiet = true};
    char *words[40], *text;
    tn_cli_args args;
    int count = 0;
    if (size == 0)
        return;
    text = text_of(bytes + 1, size - 1);
    for (char *line = text; line && count < 40;) {
        words[count++] = line;
        line = strchr(line, '\n');
        if (line)
            *line++ = '\0';
    }
    (void)tn_cli_parse(&ctx, commands[bytes[0] % (sizeof commands / sizeof commands[0])], count, words,
                       &args);
    free(text);
    nothing_lives(&ctx);
}

/* The first byte chooses the op; a shape that it takes has counts and least work. */
static void shape(const uint8_t *bytes, size_t size) {
    tn_context ctx = {.quiet = true};
    tn_shape s;
    tn_step_shape step;
    tn_layer_shape layer;
    if (size == 0)
        return;
    const tn_case *c = tn_cases[bytes[0] % tn_case_count];
    char *text = text_of(bytes + 1, size - 1), again[512];
    if (tn_shape_parse(&ctx, c, text, &s) == TN_OK)
        for (int pass = 0; c->passes[pass]; pass++) {
            static tn_tensor specs[TN_CASE_TENSORS];
            memset(specs, 0, sizeof specs);
            int count = c->tensors(&s, pass, specs);
            double flops = c->flops(&s, pass), moved = c->bytes(&s, pass);
            if (count < 0 || count > TN_CASE_TENSORS || !(flops >= 0) || !(moved >= 0))
                abort();
            tn_shape_print(c, &s, again, sizeof again);
        }
    if (tn_shape_asked(&ctx, c, text, &s) == TN_OK) /* with the op's usual values for the rest */
        for (int i = 0; c->dims[i]; i++)
            if (s.v[i] < 0 || s.v[i] > INT32_MAX)
                abort();
    (void)tn_step_shape_parse(&ctx, text, &step);
    (void)tn_layer_parts_parse(&ctx, text, &layer);
    free(text);
    nothing_lives(&ctx);
}

static void axis(const uint8_t *bytes, size_t size) {
    static const tn_axis_kind kinds[] = {{"T", "256..65536*2", 1, 1 << 24, true, 0},
                                         {"rho", "0,0.001..1*10", 0, 1, false, 0},
                                         {"cores", "1..N*2", 1, 4096, true, 12}};
    static const char *const choices[] = {"op", "layer", "model", NULL};
    tn_context ctx = {.quiet = true};
    tn_axis out;
    tn_words words;
    char *text = text_of(bytes, size);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (tn_axis_parse(&ctx, &kinds[i], text, &out) == TN_OK)
            for (int k = 0; k < out.count; k++)
                if (!(out.v[k] >= kinds[i].low && out.v[k] <= kinds[i].high))
                    abort();
    (void)tn_words_parse(&ctx, "level", text, choices, &words);
    free(text);
    nothing_lives(&ctx);
}

/* A number must be what strtod makes of it, a whole one what strtoull does; parts of a list lie in the text.
 */
static void number(const uint8_t *bytes, size_t size) {
    tn_context ctx = {.quiet = true};
    char *text = text_of(bytes, size), *end;
    size_t length = strlen(text);
    tn_number n;
    tn_pair pair;
    size_t read = tn_number_read((tn_slice){text, length}, &n);
    if (read > length)
        abort();
    if (read > 0 && n.whole && read == strspn(text, "0123456789") && n.magnitude != strtoull(text, &end, 10))
        abort();
    double value;
    if (tn_number_real(&ctx, "it", (tn_slice){text, length}, 0, 0, &value) == TN_OK &&
        (value != strtod(text, &end) || *end))
        abort();
    for (tn_pairs pairs = tn_pairs_of(text); tn_pairs_next(&pairs, &pair);)
        if (pair.part.at < text || pair.part.at + pair.part.length > text + length ||
            pair.key.length + pair.value.length > pair.part.length)
            abort();
    free(text);
    nothing_lives(&ctx);
}

/* Names of mixers, routings, positions and penalties, and a field of a checkpoint's config by line. */
static void names(const uint8_t *bytes, size_t size) {
    tn_context ctx = {.quiet = true};
    tn_model_config c = tn_model_config_default(192);
    tn_penalty penalty;
    char *text = text_of(bytes, size);
    (void)tn_mixer_parse(&ctx, text, &c);
    (void)tn_routing_parse(&ctx, text, &c);
    (void)tn_positions_parse(&ctx, text, &c);
    (void)tn_penalty_parse(&ctx, text, &penalty);
    char *value = strchr(text, '=');
    if (value) {
        *value++ = '\0';
        if (tn_model_config_set(&ctx, &c, text, value) == TN_OK)
            (void)tn_model_config_check(&ctx, &c);
    }
    free(text);
    nothing_lives(&ctx);
}

const tn_fuzz_target tn_fuzz_targets[] = {
    {"csv", csv},       {"report", report}, {"row", row},         {"safetensors", safetensors},
    {"config", config}, {"tuned", tuned},   {"options", options}, {"shape", shape},
    {"axis", axis},     {"names", names},   {"number", number},   {NULL, NULL}};

const tn_fuzz_target *tn_fuzz_find(const char *name) {
    for (const tn_fuzz_target *t = tn_fuzz_targets; t->name; t++)
        if (name && strcmp(t->name, name) == 0)
            return t;
    return NULL;
}

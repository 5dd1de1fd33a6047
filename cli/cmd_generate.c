#include "commands.h"

#include "common.h"
#include "file.h"
#include "generate.h"
#include "run_folder.h"
#include "statistics.h"
#include "variant.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Of a prompt, and of what may be made: both together are counted in 32 bits. */
enum { TOKENS = 256, BYTES_MOST = 1000000000, BYTES = 256 };

typedef struct generate_run {
    tn_context *ctx;
    const tn_cli_args *args;
    tn_device *dev;
    tn_model *m;
    int32_t *prompt;
    int64_t prompt_tokens;
    tn_outfile file; /* what is made goes there, where `to_file`; else into `text` */
    bool json, to_file;
    char *text;
    size_t size, room;
    tn_generated made;
} generate_run;

/* Stdin to its end. */
static tn_status read_stdin(tn_context *ctx, char **bytes, size_t *size) {
    size_t room = 0;
    *bytes = NULL;
    *size = 0;
    for (;;) {
        TN_TRY(tn_grow(ctx, bytes, &room, *size + 4096, 1));
        const ssize_t got = read(STDIN_FILENO, *bytes + *size, room - *size);
        if (tn_interrupted())
            return tn_fail(ctx, TN_ERR_INTERRUPTED, "stopped while the prompt was read");
        if (got < 0 && errno != EINTR)
            return tn_fail(ctx, TN_ERR_INPUT, "cannot read the prompt from stdin: %s", strerror(errno));
        if (got == 0)
            return TN_OK;
        *size += got > 0 ? (size_t)got : 0;
        if (*size > BYTES_MOST)
            return tn_fail(ctx, TN_ERR_INPUT,
                           "stdin holds a prompt of more than %d bytes; give its end alone", BYTES_MOST);
    }
}

static tn_status read_file(tn_context *ctx, const char *path, char **bytes, size_t *size) {
    struct stat info;
    if (strcmp(path, "-") == 0)
        return read_stdin(ctx, bytes, size);
    if (stat(path, &info) == 0 && S_ISREG(info.st_mode) && info.st_size > BYTES_MOST)
        return tn_fail(ctx, TN_ERR_INPUT,
                       "%s holds a prompt of %lld bytes, and %d are the most; give its end alone", path,
                       (long long)info.st_size, BYTES_MOST);
    return tn_file_read(ctx, path, bytes, size);
}

/* A token a byte. */
static tn_status prompt_tokens(generate_run *r, const char *bytes, size_t size) {
    if (size == 0)
        return tn_fail(r->ctx, TN_ERR_INPUT, "the prompt in %s is empty, and there is nothing to go on from",
                       tn_cli_string(r->args, "prompt-file", ""));
    TN_TRY(tn_alloc(r->ctx, size, sizeof *r->prompt, &r->prompt));
    for (size_t i = 0; i < size; i++)
        r->prompt[i] = (unsigned char)bytes[i];
    r->prompt_tokens = (int64_t)size;
    return TN_OK;
}

static tn_status prompt_of(generate_run *r) {
    const char *path = tn_cli_string(r->args, "prompt-file", NULL),
               *text = tn_cli_string(r->args, "prompt", "\n");
    char *bytes;
    size_t size;
    if (!path)
        return prompt_tokens(r, text, strlen(text));
    if (tn_cli_given(r->args, "prompt"))
        return tn_fail(r->ctx, TN_ERR_ARG, "--prompt and --prompt-file are two prompts; give one of them");
    tn_status status = read_file(r->ctx, path, &bytes, &size);
    if (status == TN_OK)
        status = prompt_tokens(r, bytes, size);
    tn_free(r->ctx, bytes);
    return status;
}

/* Whose tokens are no bytes is refused before a device is opened. */
static tn_status task_check(generate_run *r) {
    const char *folder = r->args->arguments[0];
    tn_train_config config;
    char *path;
    TN_TRY(tn_path_join(r->ctx, folder, "config.json", &path));
    tn_status status = tn_train_config_load(r->ctx, path, &config);
    tn_free(r->ctx, path);
    TN_TRY(status);
    if (config.task.kind != TN_TASK_TEXT)
        return tn_fail(
            r->ctx, TN_ERR_ARG,
            "%s holds a model of the task %s, whose tokens are no text; `turnout infer %s --tokens "
            "IN --logits OUT --decode` runs it a token at a time",
            folder, tn_task_kind_name(config.task.kind), folder);
    if (config.model.vocab > BYTES)
        return tn_fail(r->ctx, TN_ERR_INPUT, "%s holds a model of %lld tokens, and a byte is one of %d",
                       folder, (long long)config.model.vocab, BYTES);
    return TN_OK;
}

static tn_status vocabulary_check(const generate_run *r) {
    const int64_t V = r->m->config.vocab;
    for (int64_t t = 0; t < r->prompt_tokens; t++)
        if (r->prompt[t] >= V)
            return tn_fail(r->ctx, TN_ERR_INPUT,
                           "byte %lld of the prompt is %d, outside the model's vocabulary of %lld",
                           (long long)t, r->prompt[t], (long long)V);
    return TN_OK;
}

static tn_status output_open(generate_run *r) {
    const char *path = tn_cli_string(r->args, "output", NULL);
    r->json = tn_cli_given(r->args, "json");
    r->to_file = path || !r->json;
    if (r->json)
        TN_TRY(tn_stdout_need(r->ctx));
    if (!r->to_file)
        return TN_OK;
    TN_TRY(tn_outfile_open(r->ctx, path, &r->file));
    if (r->json && !r->file.path)
        return tn_fail(r->ctx, TN_ERR_ARG,
                       "--json and --output %s would both be written to stdout; name a file", path);
    return TN_OK;
}

/* A byte is in its reader's hands as soon as it is known. */
static tn_status put(void *data, int32_t token) {
    generate_run *r = data;
    if (!r->to_file) {
        TN_TRY(tn_grow(r->ctx, &r->text, &r->room, r->size + 1, 1));
        r->text[r->size++] = (char)token;
        return TN_OK;
    }
    fputc(token, r->file.stream);
    if (r->file.aside) /* stands under its name from the first byte on */
        return tn_outfile_publish(r->ctx, &r->file);
    return tn_outfile_check(r->ctx, &r->file);
}

static json_t *share_json(int64_t routed, double rows) {
    return rows > 0 ? json_real((double)routed / rows) : json_null();
}

/* Shares of `rows` tokens that took attention: over all layers, and of each. */
static void shares_json(json_t *o, const tn_model_config *c, const char *name, const int64_t *routed,
                        int64_t rows) {
    char layers[64];
    json_t *list = json_array();
    int64_t all = 0;
    for (int64_t i = 0; i < c->layers; i++) {
        all += routed[i];
        json_array_append_new(list, share_json(routed[i], (double)rows));
    }
    snprintf(layers, sizeof layers, "%s_layers", name);
    json_object_set_new(o, name, share_json(all, (double)rows * (double)c->layers));
    json_object_set_new(o, layers, list);
}

static void times_json(json_t *o, tn_generated *made) {
    double sum = 0;
    tn_summary s;
    for (int64_t i = 0; i < made->steps; i++)
        sum += made->step_ms[i];
    tn_summarise(made->step_ms, (int)made->steps, &s);
    json_object_set_new(o, "tokens_per_s", s.n ? json_real(1e3 * s.n / sum) : json_null());
    json_object_set_new(o, "token_ms", s.n ? json_real(s.median) : json_null());
    json_object_set_new(o, "token_ms_q1", s.n ? json_real(s.q1) : json_null());
    json_object_set_new(o, "token_ms_q3", s.n ? json_real(s.q3) : json_null());
    json_object_set_new(o, "n", json_integer(s.n));
}

/* The bytes as code points of the same number: any byte survives, and ASCII can be read. */
static json_t *text_json(const generate_run *r) {
    char *utf8 = malloc(2 * r->size + 1);
    size_t used = 0;
    for (size_t i = 0; utf8 && i < r->size; i++) {
        const unsigned char byte = (unsigned char)r->text[i];
        if (byte >= 0x80)
            utf8[used++] = (char)(0xC0 | byte >> 6);
        utf8[used++] = (char)(byte < 0x80 ? byte : 0x80 | (byte & 0x3F));
    }
    json_t *text = utf8 ? json_stringn(utf8, used) : NULL;
    free(utf8);
    return text;
}

static tn_status print_json(generate_run *r) {
    const tn_variant *ran = tn_variant_ran(r->dev, "decode_step");
    const tn_cli_args *args = r->args;
    tn_generated *made = &r->made;
    json_t *o = tn_cli_row_json(tn_device_get_info(r->dev));
    json_object_set_new(o, "variant", ran ? json_string(ran->name) : json_null());
    json_object_set_new(o, "seed", json_integer((json_int_t)tn_cli_uint64(args, "seed", 1)));
    json_object_set_new(o, "temperature", json_real(tn_cli_real(args, "temperature", 0)));
    json_object_set_new(o, "top_k", json_integer(tn_cli_int(args, "top-k", 0)));
    json_object_set_new(o, "prefill_tokens", json_integer(r->prompt_tokens));
    json_object_set_new(o, "prefill_ms", json_real(made->prefill_ms));
    shares_json(o, &r->m->config, "prefill_routed_share", made->prompt_routed, r->prompt_tokens);
    json_object_set_new(o, "tokens", json_integer(made->tokens));
    times_json(o, made);
    shares_json(o, &r->m->config, "routed_share", made->routed, made->steps);
    json_object_set_new(o, "cache_bytes", json_integer((json_int_t)made->cache_bytes));
    json_object_set_new(o, "launches", json_integer(made->launches));
    if (!r->to_file)
        json_object_set_new(o, "text", text_json(r));
    return tn_cli_print_json(r->ctx, o);
}

/* What was made before Ctrl-C is told too. */
static tn_status result(generate_run *r, tn_status status) {
    static tn_context aside; /* static for its size; the run's own message is the one that counts */
    tn_context *ctx = r->ctx;
    if (!r->json || r->made.tokens == 0 || (status != TN_OK && status != TN_ERR_INTERRUPTED))
        return status;
    if (status != TN_OK)
        r->ctx = &aside;
    const tn_status printed = print_json(r);
    r->ctx = ctx;
    return status == TN_OK ? printed : status;
}

static tn_status generate(generate_run *r) {
    const tn_cli_args *args = r->args;
    const tn_generation g = {.prompt = r->prompt,
                             .prompt_tokens = r->prompt_tokens,
                             .tokens = tn_cli_int(args, "tokens", TOKENS),
                             .sampling = {.temperature = tn_cli_real(args, "temperature", 0),
                                          .top_k = tn_cli_int(args, "top-k", 0),
                                          .seed = tn_cli_uint64(args, "seed", 1)},
                             .measured = r->json,
                             .put = put,
                             .data = r};
    tn_status status = tn_generate(r->m, &g, &r->made);
    if (r->to_file)
        status = tn_outfile_end(r->ctx, &r->file, status);
    return result(r, status);
}

static tn_status run(tn_context *ctx, const tn_cli_args *args) {
    generate_run r = {.ctx = ctx, .args = args};
    tn_status status = TN_OK;
    if (tn_cli_given(args, "top-k") && !tn_cli_given(args, "temperature"))
        return tn_fail(ctx, TN_ERR_ARG,
                       "--top-k wants --temperature: without it the likeliest byte is always taken");
    TN_GO(task_check(&r));
    TN_GO(prompt_of(&r));
    TN_GO(tn_device_open_selected(ctx, tn_cli_string(args, "device", NULL), &r.dev));
    TN_GO(tn_run_load(r.dev, args->arguments[0], NULL, &r.m));
    TN_GO(vocabulary_check(&r));
    TN_GO(output_open(&r));
    TN_GO(generate(&r));
cleanup:
    tn_outfile_abandon(ctx, &r.file);
    tn_generated_free(ctx, &r.made);
    tn_model_destroy(r.m);
    tn_device_close(r.dev);
    tn_free(ctx, r.prompt);
    tn_free(ctx, r.text);
    return status;
}

static const tn_cli_option options[] = {
    {"prompt", 'p', "TEXT", TN_CLI_STRING, "bytes to go on from (a line break)"},
    {"prompt-file", 0, "FILE", TN_CLI_READS, "the same, out of a file; - is stdin"},
    {"tokens", 'n', "N", TN_CLI_INT, "bytes to write (256)", 1, BYTES_MOST},
    {"temperature", 0, "X", TN_CLI_REAL,
     "draw each byte, its logits divided by X; 0, and without it: take the likeliest", 0, 1e6},
    {"top-k", 0, "K", TN_CLI_INT, "draw from the K likeliest bytes alone", 1, BYTES_MOST},
    {"seed", 's', "S", TN_CLI_UINT64, "seed of what is drawn (1)"},
    TN_CLI_OUTPUT("write the bytes to FILE instead of stdout"),
    TN_CLI_JSON("measure, and print one JSON object with times, routed share and, without -o, the text; "
                "docs/schema.md has its fields"),
    TN_CLI_DEVICE,
    TN_CLI_QUIET,
    {NULL},
};

const tn_cli_command tn_cmd_generate = {
    "generate",
    "Go on from a prompt with a text model, a byte at a time",
    "DIR",
    1,
    1,
    options,
    run,
    "Each byte is written as soon as it is known, and the prompt is not. One seed and one prompt give the "
    "same bytes "
    "on the same device every time; of equally likely bytes the lower is taken."};

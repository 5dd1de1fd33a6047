/* `turnout infer` on a checkpoint against the naive model made from the file alone: what another program
 * would do. */
#include "folder.h"
#include "program.h"

#include "checkpoint.h"
#include "file.h"
#include "model_ref.h"
#include "rng.h"
#include "safetensors.h"
#include "support.h"

#include <math.h>
#include <unistd.h>

enum { V = 192, B = 3, T = 40, N = B * T };

static tn_context ctx;

static void in_folder(char *path, size_t size, const char *name) {
    snprintf(path, size, "%s/%s", test_folder, name);
}

static void write_tokens(const char *path, const char *dtype, int rank, int32_t *tokens) {
    tn_st_tensor t = {
        .name = "tokens", .rank = rank, .dims = {rank == 2 ? B : N, T}, .data = tokens, .bytes = N * 4};
    snprintf(t.dtype, sizeof t.dtype, "%s", dtype);
    ck_ok(&ctx, tn_safetensors_write(&ctx, path, NULL, 0, &t, 1));
}

/* Parameters of the file as doubles in the table's order. */
static double *values_of(const char *path, const tn_model *m) {
    tn_safetensors file;
    ck_ok(&ctx, tn_safetensors_read(&ctx, path, &file));
    double *values = calloc(m->params.floats, sizeof *values);
    for (int i = 0; i < m->params.count; i++) {
        const tn_param *p = &m->params.items[i];
        const tn_st_tensor *t = tn_safetensors_find(&file, p->name);
        ck_assert_msg(t && t->bytes == p->count * 4, "%s is missing in %s", p->name, path);
        for (size_t k = 0; k < p->count; k++) {
            float value;
            memcpy(&value, (const char *)t->data + 4 * k, 4);
            values[p->offset + k] = value;
        }
    }
    tn_safetensors_free(&ctx, &file);
    return values;
}

static void compare(const char *model_path, const char *out_path, const int32_t *tokens) {
    static double want[N * V], p[8 * N];
    static unsigned char h[8 * N];
    tn_safetensors out;
    tn_device *dev;
    tn_model *m;
    ck_ok(&ctx, tn_device_open_selected(&ctx, getenv("TURNOUT_DEVICE"), &dev));
    ck_ok(&ctx, tn_checkpoint_load(dev, model_path, &m));
    int64_t layers = m->config.layers;
    tn_model_ref ref = {.m = m, .values = values_of(model_path, m)};
    tn_model_ref_forward(&ref, B, T, tokens, NULL, want, p, h);
    ck_ok(&ctx, tn_safetensors_read(&ctx, out_path, &out));
    const tn_st_tensor *logits = tn_safetensors_find(&out, "logits"),
                       *routes = tn_safetensors_find(&out, "routes");
    ck_assert(logits && routes && logits->rank == 3 && logits->dims[0] == B && logits->dims[1] == T &&
              logits->dims[2] == V && routes->dims[0] == layers && routes->dims[1] == B &&
              routes->dims[2] == T);
    for (int i = 0; i < N * V; i++) {
        float got;
        memcpy(&got, (const char *)logits->data + (size_t)i * 4, 4);
        ck_assert_msg(fabs(got - want[i]) <= 5e-5 * (1 + fabs(want[i])),
                      "logit %d is %g, the file's model has %g", i, (double)got, want[i]);
    }
    ck_assert_msg(memcmp(routes->data, h, (size_t)(layers * N)) == 0, "routes differ");
    free(ref.values);
    tn_safetensors_free(&ctx, &out);
    tn_model_destroy(m);
    tn_device_close(dev);
    ck_assert_int_eq(ctx.live, 0);
}

/* As usual, and with layers that differ and a window. */
static const char *const models[] = {"--layers 2", "--mixers conv,routed,attention --layers 3 --window 9"};

START_TEST(test_infer) {
    static int32_t tokens[N];
    char in[100], out[100], model[100], line[400];
    tn_rng rng = tn_rng_make(1, TN_RNG_CASE, 0);
    test_folder_make();
    for (int n = 0; n < N; n++)
        tokens[n] = (int32_t)tn_rng_below(&rng, V);
    in_folder(in, sizeof in, "in.safetensors");
    in_folder(out, sizeof out, "out.safetensors");
    in_folder(model, sizeof model, "run/model.safetensors");
    snprintf(line, sizeof line,
             "train --distance 20 %s --width 32 --steps 30 --phase1 10 --ramp 5 --sequences 4 --seconds 0.02 "
             "--quiet -o %s/run",
             models[_i], test_folder);
    program_gives(0, line, "accuracy");
    write_tokens(in, "I32", 2, tokens);
    snprintf(line, sizeof line, "infer %s/run --tokens %s --logits %s", test_folder, in, out);
    program_gives(0, line, "");
    compare(model, out, tokens);
    tokens[7] = V;
    write_tokens(in, "I32", 2, tokens);
    program_gives(2, line, "token 192", "vocabulary");
    write_tokens(in, "F32", 2, tokens);
    program_gives(2, line, "I32");
    snprintf(line, sizeof line, "infer %s/run --tokens %s --logits %s", test_folder, model, out);
    program_gives(2, line, "tokens");
    test_folder_remove();
}
END_TEST

int main(void) {
    Suite *suite = suite_create("infer");
    TCase *t = tcase_create("infer");
    tcase_set_timeout(t, 100);
    tcase_add_loop_test(t, test_infer, 0, sizeof models / sizeof models[0]);
    suite_add_tcase(suite, t);
    return tn_test_main(suite);
}

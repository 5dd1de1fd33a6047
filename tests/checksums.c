/* checksums [CASES [OP…]]: one hash over every result of a fixed set of random shapes, for each pass of each
 * op, with the defaults of the style that TURNOUT_KIND names. checksums.sh holds the lines against those of
 * an earlier program: what only moves code changes no bit. */
#include "case.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

/* The short test's share of the cases: a line is printed there, and one at the end. */
enum { SHORT = 20, LONG = 200, SEED = 15 };

static tn_context ctx;

/* What verify would draw for case `index`. */
static uint64_t case_draw(const tn_case *c, int index, tn_shape *shape) {
    tn_rng rng = tn_rng_make(SEED, TN_RNG_CASE, (uint64_t)index);
    *shape = (tn_shape){{0}};
    c->draw(&rng, shape);
    return SEED + 0x9E3779B97F4A7C15ull * (uint64_t)(index + 1);
}

/* Of what is compared with a reference alone: a workspace's bytes are the op's own affair. */
static void problem_hash(const tn_problem *p, unsigned char *const *results, XXH64_state_t *hash) {
    for (int i = 0; i < p->tensor_count; i++) {
        const tn_tensor *t = &p->tensors[i];
        if (results[i] && t->role != TN_WORK)
            XXH64_update(hash, results[i], t->count * (t->type == TN_U8 ? 1 : 4));
    }
}

static tn_status case_hash(tn_device *dev, const tn_case *c, int pass, int index, XXH64_state_t *hash) {
    unsigned char *results[TN_CASE_TENSORS] = {NULL};
    tn_problem p;
    tn_shape shape;
    uint64_t seed = case_draw(c, index, &shape);
    TN_TRY(tn_problem_make(&ctx, dev, c, pass, &shape, seed, &p));
    tn_status status = tn_problem_run(&ctx, &p, results);
    if (status == TN_OK)
        problem_hash(&p, results, hash);
    for (int i = 0; i < TN_CASE_TENSORS; i++)
        tn_free(&ctx, results[i]);
    tn_problem_free(&ctx, &p);
    return status;
}

static tn_status pass_hash(tn_device *dev, const tn_case *c, int pass, int cases) {
    XXH64_state_t *hash = XXH64_createState();
    tn_status status = hash ? TN_OK : tn_fail(&ctx, TN_ERR_MEMORY, "no memory for a hash");
    XXH64_reset(hash, 0);
    for (int i = 0; i < cases && status == TN_OK; i++) {
        status = case_hash(dev, c, pass, i, hash);
        if (status == TN_OK && (i + 1 == SHORT || i + 1 == cases))
            printf("%s %s %d %016llx\n", c->op, c->passes[pass], i + 1,
                   (unsigned long long)XXH64_digest(hash));
    }
    fflush(stdout);
    XXH64_freeState(hash);
    return status;
}

static tn_status hash_all(tn_device *dev, int cases, char *const *ops, int op_count) {
    const tn_device_info *info = tn_device_get_info(dev);
    printf("device %s, %u compute units, %s %s, %s\n", info->name, info->compute_units, info->platform_name,
           info->driver, info->version);
    for (int i = 0; i < tn_case_count; i++) {
        bool wanted = op_count == 0;
        for (int k = 0; k < op_count; k++)
            wanted |= strcmp(ops[k], tn_cases[i]->op) == 0;
        for (int pass = 0; wanted && tn_cases[i]->passes[pass]; pass++)
            TN_TRY(pass_hash(dev, tn_cases[i], pass, cases));
    }
    return TN_OK;
}

int main(int argc, char **argv) {
    int cases = argc > 1 ? atoi(argv[1]) : LONG;
    tn_device *dev = NULL;
    tn_status status = cases >= 1 ? tn_device_open_selected(&ctx, getenv("TURNOUT_DEVICE"), &dev)
                                  : tn_fail(&ctx, TN_ERR_ARG, "checksums: cases are counted from 1");
    if (status == TN_OK)
        status = hash_all(dev, cases, argv + 2, argc > 2 ? argc - 2 : 0);
    if (status != TN_OK)
        fprintf(stderr, "checksums: %s\n", ctx.message);
    tn_device_close(dev);
    return status == TN_OK ? 0 : 1;
}

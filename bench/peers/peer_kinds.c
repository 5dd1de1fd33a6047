#include "peers.h"

#include <string.h>

static const char *const products[] = {"gemm", NULL};
static const char *const torch_ops[] = {"gemm", "flash_attention", "causal_conv", "step", NULL};
static const char *const steps[] = {"step", NULL};

const tn_peer_kind tn_peer_kinds[] = {{"openblas", "turnout-openblas", false, true, false, products},
                                      {"clblast", NULL, false, false, true, products},
                                      {"torch", "torch_peer.py", true, false, true, torch_ops},
                                      {"torch-compile", "torch_peer.py", true, false, true, steps},
                                      {NULL}};

bool tn_peer_kind_does(int kind, const char *op) {
    for (const char *const *o = tn_peer_kinds[kind].ops; *o; o++)
        if (strcmp(*o, op) == 0)
            return true;
    return false;
}

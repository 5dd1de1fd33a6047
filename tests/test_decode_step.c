/* Beyond the case: attention split among items, and what comes out of chunks of keys. */
#include "support.h"

int main(void) {
    Suite *suite = tn_test_op_suite("decode_step", 4);
    tn_test_op_tuned(suite, "decode_step.CHUNK=16,decode_step.ALONE=0,decode_step.LEAST=0");
    return tn_test_main(suite);
}

#include "support.h"

#include "embedding.h"

START_TEST(test_index) {
    static const int32_t tokens[] = {2, 0, 2, 4, 2, 0};
    static const int32_t want_order[] = {1, 5, 0, 2, 4, 3}, want_start[] = {0, 2, 2, 5, 5, 6, 6};
    int32_t order[6], start[7];
    tn_embedding_index(tokens, 6, 6, order, start);
    ck_assert_mem_eq(order, want_order, sizeof order);
    ck_assert_mem_eq(start, want_start, sizeof start);
}
END_TEST

START_TEST(test_index_of_nothing) {
    int32_t order[1] = {7}, start[4];
    tn_embedding_index(order, 0, 3, order, start);
    for (int v = 0; v < 4; v++)
        ck_assert_int_eq(start[v], 0);
}
END_TEST

int main(void) {
    Suite *suite = tn_test_op_suite("embedding", 16);
    TCase *more = tcase_create("index");
    tcase_add_test(more, test_index);
    tcase_add_test(more, test_index_of_nothing);
    suite_add_tcase(suite, more);
    return tn_test_main(suite);
}

/* λ priced by the device: what a routed row costs there beside one that is not, at the shape of a training
 * run, measured before it begins. The price stands in config.json, and a run that goes on takes it from
 * there: another measurement would be another run. */
#ifndef TN_ROW_PRICE_H
#define TN_ROW_PRICE_H

#include "trainer.h"

/* λ is held within these: the least price in the part `lambda` of a study; two hundred times the usual one,
 * which recall still learns with, since a batch with a wrong answer has no price. */
#define TN_ROW_PRICE_LEAST 0.01
#define TN_ROW_PRICE_MOST  100.0

/* 0.5 · routed / unrouted, within the bounds: the usual λ where both cost the same. */
double tn_row_price_lambda(const tn_row_cost *cost);

/* Times the forward pass of one mixer at c's B, T, D, H, K, verified first: with no routed row, with one and
 * with nine in every sequence (T where that is less). A routed row costs the slope between one and nine, an
 * unrouted one the time with none over all rows. Rows are chosen by threshold and positions are not rotated,
 * whatever c says. Sets c->row_cost and c->curriculum.lambda, and warns where λ was held at a bound.
 * TN_ERR_ARG for a model without a router and for T < 2. */
tn_status tn_row_price_measure(tn_device *dev, tn_train_config *c);

/* The price of the run in `folder`, into c; found: false without a config.json. TN_ERR_ARG where that run's λ
 * was given as a number. */
tn_status tn_row_price_recorded(tn_context *ctx, const char *folder, tn_train_config *c, bool *found);

#endif

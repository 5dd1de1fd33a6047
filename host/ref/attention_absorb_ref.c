#include "attention_absorb_ref.h"

void tn_attention_absorb_forward_ref(int64_t H, int64_t Dh, double *mq, double *mo, const double *wq,
                                     const double *wk, const double *wv, const double *wo) {
    int64_t D = H * Dh;
    for (int64_t h = 0; h < H; h++)
        for (int64_t i = 0; i < D; i++)
            for (int64_t c = 0; c < D; c++) {
                double m = 0, o = 0;
                for (int64_t j = h * Dh; j < (h + 1) * Dh; j++) {
                    m += wk[j * D + i] * wq[j * D + c];
                    o += wo[i * D + j] * wv[j * D + c];
                }
                mq[(h * D + i) * D + c] = m;
                mo[i * H * D + h * D + c] = o;
            }
}

void tn_attention_absorb_backward_ref(int64_t H, int64_t Dh, double *dwq, double *dwk, double *dwv,
                                      double *dwo, const double *dmq, const double *dmo, const double *wq,
                                      const double *wk, const double *wv, const double *wo) {
    int64_t D = H * Dh;
    for (int64_t i = 0; i < D * D; i++)
        dwq[i] = dwk[i] = dwv[i] = dwo[i] = 0;
    for (int64_t h = 0; h < H; h++)
        for (int64_t i = 0; i < D; i++)
            for (int64_t c = 0; c < D; c++) {
                double dm = dmq[(h * D + i) * D + c], dc = dmo[i * H * D + h * D + c];
                for (int64_t j = h * Dh; j < (h + 1) * Dh; j++) {
                    dwk[j * D + i] += dm * wq[j * D + c];
                    dwq[j * D + c] += dm * wk[j * D + i];
                    dwo[i * D + j] += dc * wv[j * D + c];
                    dwv[j * D + c] += dc * wo[i * D + j];
                }
            }
}

/* Between energy.c and the sources of energy, one file each: powercap, hwmon, NVML, ROCm SMI, Level Zero. */
#ifndef TN_ENERGY_SOURCE_H
#define TN_ENERGY_SOURCE_H

#include "energy.h"
#include "energy_sampler.h"

typedef struct tn_energy_counter {
    double unit_j;  /* joules a count */
    uint64_t range; /* the largest count, past which it wraps; 0: never */
    char path[320]; /* of a file, or */
    void *handle;   /* what a library knows it by */
} tn_energy_counter;

typedef struct tn_energy_source {
    /* Finds the counters of `info`: sets count, counter, update_s and source. False and why where there are
     * none; what it took so far stands in library and state, and goes with close. */
    bool (*open)(tn_energy *energy, const tn_device_info *info, char why[TN_ENERGY_WHY]);
    bool (*read)(tn_energy *energy, uint64_t *raw, char why[TN_ENERGY_WHY]);
    void (*close)(tn_energy *energy); /* shuts the library down; NULL: nothing to do */
} tn_energy_source;

extern const tn_energy_source tn_energy_powercap, tn_energy_hwmon, tn_energy_nvml, tn_energy_rocm_smi,
    tn_energy_level_zero;

struct tn_energy {
    tn_context *ctx;
    const tn_energy_source *from; /* NULL: not measured */
    char source[TN_ENERGY_TEXT];
    int count;
    tn_energy_counter counter[TN_ENERGY_COUNTERS];
    double update_s; /* at least so often the counter moves */
    void *library;   /* closed by energy.c, after close */
    void *state;     /* from tn_alloc, freed by energy.c */
    tn_sampler *sampler;
    bool idle_tried; /* no second time */
    double idle_w;   /* NaN: not measured, because: */
    char idle_why[TN_ENERGY_WHY];
};

/* Writes the reason and returns false. */
bool tn_energy_no(char why[TN_ENERGY_WHY], const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The value of the variable, else `usual`. */
const char *tn_energy_place(const char *variable, const char *usual);
/* First line of a file of a folder. */
bool tn_energy_line(const char *folder, const char *file, char *text, size_t size);
/* The number that a file holds. */
bool tn_energy_number(const char *path, uint64_t *out, char why[TN_ENERGY_WHY]);
/* Reads all counters that are files. */
bool tn_energy_read_files(tn_energy *energy, uint64_t *raw, char why[TN_ENERGY_WHY]);
/* Names in a folder that begin with `prefix`, sorted; −1 where there is no such folder. */
int tn_energy_entries(const char *folder, const char *prefix, char names[][64], int most);

typedef struct tn_energy_symbol {
    const char *name;
    void *function; /* address of the pointer to set; NULL is written where the symbol is missing */
    bool optional;
} tn_energy_symbol;

/* Opens the library that `variable` names, else the first of `names` (NULL-ended), and looks up `symbols`
 * (ended by a NULL name). */
bool tn_energy_library(tn_energy *energy, const char *variable, const char *const *names,
                       const tn_energy_symbol *symbols, char why[TN_ENERGY_WHY]);

/* Makes the energy a sampled one: `watts` is asked by a thread, every TN_SAMPLER_INTERVAL_MS. `source` must
 * stand already and gets a remark. */
bool tn_energy_sample(tn_energy *energy, tn_sampler_watts watts, void *data, char why[TN_ENERGY_WHY]);

#endif

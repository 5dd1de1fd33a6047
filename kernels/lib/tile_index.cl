/* Where a tile's elements lie and which work-item touches which: plain C too, which tests include to count
 * conflicts of local memory's banks.
 *
 * A tile is `deep` rows of `wide` floats in local memory, element (w, d) at d * tile_ld(wide) + w: what a
 * product reads by quads lies along w, what it sums over lies along d. */

/* Four more than the width: rows stay aligned to quads, and the turned stores of two neighbouring quads fall
 * into other banks. */
static inline int tile_ld(int wide) {
    return wide + 4;
}

/* Quad i of a tile whose source has w along its rows: (w, d) of its first element. */
static inline int tile_along_w(int i, int wide) {
    return i % (wide / 4) * 4;
}

static inline int tile_along_d(int i, int wide) {
    return i / (wide / 4);
}

/* Quad i of a tile whose source has d along its rows. Two neighbouring items take 32 bytes of a row, the
 * least that a GPU reads, and the next two the next row. */
static inline int tile_turned_w(int i, int wide) {
    return i / 2 % wide;
}

static inline int tile_turned_d(int i, int wide) {
    return (i / 2 / wide * 2 + i % 2) * 4;
}

/* Items of a group stand in blocks of 8 across by 4 down, `across` of them side by side in all, so that the
 * 32 neighbours that a GPU runs together read few quads of both tiles. */
static inline int tile_across(int item, int across) {
    const int one = across < 8 ? across : 8, block = item / (4 * one);
    return block % (across / one) * one + item % one;
}

static inline int tile_down(int item, int across) {
    const int one = across < 8 ? across : 8, block = item / (4 * one);
    return block / (across / one) * 4 + item / one % 4;
}

/* Row i of `each` that an item owns of a tile of `wide`: quads of rows stand `wide` / (each / 4) apart, so
 * that neighbours' quads are neighbours. */
static inline int tile_own(int place, int i, int each, int wide) {
    return each < 4 ? place * each + i : i / 4 * (wide / (each / 4)) + place * 4 + i % 4;
}

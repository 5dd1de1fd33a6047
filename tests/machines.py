"""machines.py OUT [MACHINES [FIRST]]: cost files of simulated machines, one card and one file of 500 rows each, drawn from a fixed
seed: the same files every time. OUT/cost-node-001.csv and so on. FIRST: the number of the first machine."""

import csv
import pathlib
import random
import sys

SEED, ROWS = 20261, 500
COLUMNS = """schema version utc host cpu platform device driver kind compute_units pci level op pass mixer B T D H Dh K rho schedule status reason n
wall_ms wall_ms_q1 wall_ms_q3 event_ms event_ok flops bytes gflops gbs roofline_pct energy_j energy_source seed event_ms_launches dense_wall_ms
dense_ratio ideal_ratio share_of_ideal_pct shape dense_ratio_q1 dense_ratio_q3 drift_pct verified selector outside_kernels_pct peer peer_wall_ms
peer_ratio peer_ratio_q1 peer_ratio_q3 peer_max_diff tuned keys part energy_net_j idle_w cores cache block executed_rho timing_s variant copies waits
peer_event_ms context contexts context_min context_median state_bytes tokens_per_s shard""".split()
MAKERS = (("Aster", "A"), ("Borealis", "B"), ("Cinder", "C"), ("Dorado", "D"))
FRACTIONS = (0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0)
OPS = [(op, which) for op in ("gelu", "gemm", "mlp", "rms_norm", "rope", "flash_attention", "causal_conv", "conv_track", "embedding", "row_gather",
                              "row_scatter", "route_mix", "route_gate", "attention_absorb") for which in ("forward", "backward")]


class Machine:
    """Peak in GFLOP/s, bandwidth in GB/s and the time of a launch in ms, and how well its attention and its cheap track do."""

    def __init__(self, number):
        rng = self.rng = random.Random(SEED * 1000 + number)
        name, letter = MAKERS[number % len(MAKERS)]
        self.host, self.device = f"node-{number:03d}", f"{name} {letter}{10 * (1 + number % 7)}"
        self.pci = f"0000:{1 + number % 4:02x}:00.0"
        self.peak, self.bandwidth = 10 ** rng.uniform(2.5, 4.5), 10 ** rng.uniform(1.7, 3.3)
        self.launch = 10 ** rng.uniform(-2.3, -1.0)
        self.attention, self.cheap = rng.uniform(0.2, 0.8), rng.uniform(0.1, 0.7)
        self.watts = rng.choice((0, rng.uniform(60, 450)))
        self.second = 0

    def row(self, level, op, which, flops, bytes_, efficiency, **more):
        rng, noise = self.rng, self.rng.gauss(0, 0.015)
        wall = (self.launch + max(flops / (self.peak * efficiency) / 1e6, bytes_ / (self.bandwidth * 0.8) / 1e6)) * (1 + noise)
        spread, n = rng.uniform(0.003, 0.02), rng.randint(9, 60)
        self.second += 1
        row = dict.fromkeys(COLUMNS, "")
        row.update(schema="turnout-cost-1", version="0.2.0+g0123456789ab", host=self.host, cpu="Simulated", platform="Simulated", device=self.device,
                   utc=f"2026-02-01T{self.second // 3600:02d}:{self.second // 60 % 60:02d}:{self.second % 60:02d}Z", driver="1.0", kind="gpu",
                   compute_units=8, pci=self.pci, level=level, op=op, status="ok", n=n, wall_ms=f"{wall:.6g}", wall_ms_q1=f"{wall * (1 - spread):.6g}",
                   wall_ms_q3=f"{wall * (1 + spread):.6g}", event_ok=0, flops=f"{flops:.6g}", bytes=f"{bytes_:.6g}", gflops=f"{flops / wall / 1e6:.6g}",
                   gbs=f"{bytes_ / wall / 1e6:.6g}",
                   roofline_pct=f"{min(100, 100 * max(flops / self.peak, bytes_ / self.bandwidth) / 1e6 / wall):.6g}",
                   energy_j=f"{wall * self.watts / 1e3:.6g}" if self.watts else "", energy_source="simulated counter" if self.watts else "unmeasured: simulated",
                   seed=1, selector="0:0", tuned="default", cache="warm", timing_s=0.2, verified="outputs")
        row["pass"] = which
        row.update(more)
        return row

    def beside(self, row, dense, counted):
        """The columns that hold a row against dense attention."""
        ratio = float(dense["wall_ms"]) / float(row["wall_ms"])
        row.update(dense_wall_ms=dense["wall_ms"], dense_ratio=f"{ratio:.6g}", dense_ratio_q1=f"{ratio * 0.99:.6g}", dense_ratio_q3=f"{ratio * 1.01:.6g}",
                   ideal_ratio=f"{counted:.6g}", share_of_ideal_pct=f"{100 * ratio / counted:.6g}")
        return row

    def layers(self):
        for D in (256, 512):
            for T in (512, 1024, 2048, 4096, 8192, 16384):
                sizes = {"B": 1, "T": T, "D": D, "H": D // 64, "Dh": 64, "K": 4}
                most = 2.0 * T * T * D + 8.0 * T * D * D
                dense = self.row("layer", "mixer", "forward", most, 16.0 * T * D, self.attention, mixer="attention", schedule="dense", **sizes)
                yield dense
                for rho in FRACTIONS:
                    flops = rho * most + 2.0 * T * D * D
                    slow = 1 / (rho / self.attention + (1 - rho) / self.cheap)
                    yield self.beside(self.row("layer", "mixer", "forward", flops, 24.0 * T * D, slow, mixer="routed", schedule="compacted",
                                               rho=f"{-(-rho * T // 1) / T:.6g}", executed_rho=f"{-(-rho * T // 1) / T:.6g}", **sizes), dense, most / flops)
                flops = most + 2.0 * T * D * D
                yield self.beside(self.row("layer", "mixer", "forward", flops, 32.0 * T * D, self.attention, mixer="routed", schedule="masked",
                                           rho=f"{-(-0.03 * T // 1) / T:.6g}", executed_rho=1, **sizes), dense, most / flops)

    def decoding(self):
        for B in (1, 8):
            for context in (1024, 4096, 16384, 32768, 65536, 262144):
                D, H = 512, 8
                sizes = {"B": B, "T": 1, "D": D, "H": H, "Dh": 64, "K": 4, "context": context, "contexts": "equal", "context_min": context,
                         "context_median": context, "state_bytes": 8 * B * context * D}
                cache, most = 8.0 * B * context * D, 4.0 * B * context * D + 8.0 * B * D * D
                dense = self.row("decode", "mixer", "token", most, cache + 16.0 * D * D, self.attention, mixer="attention", schedule="dense", **sizes)
                yield dense
                for rho in (0, 0.015625, 0.03125, 0.0625, 0.125, 0.25, 0.5, 1):
                    flops, bytes_ = rho * most + 2.0 * B * D * D, rho * cache + 16.0 * D * D
                    yield self.beside(self.row("decode", "mixer", "token", flops, bytes_, self.attention, mixer="routed", schedule="compacted", rho=rho,
                                               **sizes), dense, most / flops)

    def ops(self):
        for op, which in OPS:
            for i in range(8):
                N = 4096 << i
                flops = 64.0 * N * (2 if which == "backward" else 1)
                yield self.row("op", op, which, flops, 12.0 * N, 0.5, shape=f"N={N}", variant="groups")

    def rows(self):
        rows = [row for part in (self.layers, self.decoding, self.ops) for row in part()]
        assert len(rows) == ROWS
        for row in rows:
            if row["level"] == "decode":
                row["tokens_per_s"] = f"{1000 * row['B'] / float(row['wall_ms']):.6g}"
        failed = self.rng.randrange(ROWS) if self.rng.random() < 0.3 else None
        if failed is not None:
            rows[failed].update(status="timeout", reason="the cell took longer than 120 s")
        return rows


def write(path, rows):
    with open(path, "w", newline="") as stream:
        to = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
        to.writeheader()
        to.writerows(rows)


def main(out, machines=100, first=1):
    out = pathlib.Path(out)
    out.mkdir(parents=True, exist_ok=True)
    for number in range(int(first), int(first) + int(machines)):
        machine = Machine(number)
        write(out / f"cost-{machine.host}.csv", machine.rows())


if __name__ == "__main__":
    main(*sys.argv[1:])

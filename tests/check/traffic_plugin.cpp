/* A plugin for Oclgrind: what a launch costs a GPU's memory, counted from what its work-items really touch.
 *
 * A GPU runs neighbouring work-items side by side, here 32 and, counted apart, 64. The n-th time that the
 * items of such a run execute a load or store is one request. A request of global memory costs the sectors of
 * 32 bytes that it touches, and at least its distinct bytes over 32. One of local memory costs as many turns
 * as the bank has distinct words that has most of them (as many banks as items, 4 bytes wide), and at least
 * its distinct words over the banks. An access that promises less alignment than its size is split, as
 * compilers do: `vload4` is four requests of 4 bytes. Private memory is left out: in a build it is registers.
 *
 * At the end a line for each place goes into the file that TURNOUT_TRAFFIC names, tabs between:
 *     kernel lanes global|local load|store line requests units least misaligned text-of-the-line */
#include "Context.h"
#include "Kernel.h"
#include "KernelInvocation.h"
#include "Memory.h"
#include "Plugin.h"
#include "Program.h"
#include "WorkGroup.h"
#include "WorkItem.h"
#include "common.h"

#include <llvm/IR/DebugInfoMetadata.h>
#include <llvm/IR/Instructions.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <tuple>
#include <vector>

using namespace oclgrind;

namespace {

const size_t SECTOR = 32, WORD = 4; /* bytes */
const size_t run_sizes[] = {32, 64};

struct Access {
    size_t address, size;
};

/* An instruction in the work-group at hand. */
struct Site {
    bool local, store;
    unsigned line;
    size_t alignment;                         /* that it promises */
    std::vector<std::vector<Access>> of_item; /* by the item's number: what it accessed, in order */
};

struct Cost {
    double requests = 0, units = 0, least = 0, misaligned = 0;
};

typedef std::tuple<std::string, size_t, bool, bool, unsigned> Place; /* kernel, lanes, local, store, line */

class Traffic : public Plugin {
    std::map<const llvm::Instruction *, Site> sites;
    std::map<Place, Cost> costs;
    std::map<std::pair<std::string, unsigned>, std::string> texts;
    std::string kernel;
    const Program *program = nullptr;

  public:
    explicit Traffic(const Context *context) : Plugin(context) {
    }

    bool isThreadSafe() const override {
        return false;
    }

    void kernelBegin(const KernelInvocation *invocation) override {
        kernel = invocation->getKernel()->getName();
        program = invocation->getKernel()->getProgram();
    }

    void memoryLoad(const Memory *memory, const WorkItem *item, size_t address, size_t size) override {
        note(memory, item, {address, size}, false);
    }

    void memoryStore(const Memory *memory, const WorkItem *item, size_t address, size_t size,
                     const uint8_t *) override {
        note(memory, item, {address, size}, true);
    }

    void workGroupComplete(const WorkGroup *) override {
        for (const auto &site : sites)
            for (size_t lanes : run_sizes)
                add_site(site.second, lanes);
        sites.clear();
    }

    void write(FILE *file) const {
        for (const auto &row : costs) {
            const auto &[name, lanes, local, store, line] = row.first;
            const Cost &c = row.second;
            const auto text = texts.find({name, line});
            fprintf(file, "%s\t%zu\t%s\t%s\t%u\t%.0f\t%.0f\t%.0f\t%.0f\t%s\n", name.c_str(), lanes,
                    local ? "local" : "global", store ? "store" : "load", line, c.requests, c.units, c.least,
                    c.misaligned, text == texts.end() ? "" : text->second.c_str());
        }
    }

  private:
    /* Built-in functions access memory too, vload4 and its like: by elements. */
    static size_t alignment_of(const llvm::Instruction *in, size_t size) {
        if (const auto *load = llvm::dyn_cast<llvm::LoadInst>(in))
            return load->getAlign().value();
        if (const auto *store = llvm::dyn_cast<llvm::StoreInst>(in))
            return store->getAlign().value();
        return std::min<size_t>(size, WORD);
    }

    void note(const Memory *memory, const WorkItem *item, Access access, bool store) {
        const unsigned space = memory->getAddressSpace();
        if (space != AddrSpaceGlobal && space != AddrSpaceConstant && space != AddrSpaceLocal)
            return;
        const llvm::Instruction *in = item->getCurrentInstruction();
        const Size3 id = item->getLocalID(), group = item->getWorkGroup()->getGroupSize();
        const size_t number = id.x + group.x * (id.y + group.y * id.z);
        auto [at, is_new] = sites.try_emplace(in);
        Site &site = at->second;
        if (is_new) {
            const llvm::DebugLoc &where = in->getDebugLoc();
            site.local = space == AddrSpaceLocal;
            site.store = store;
            site.line = where ? where.getLine() : 0;
            site.alignment = alignment_of(in, access.size);
            site.of_item.resize(group.x * group.y * group.z);
            keep_text(site.line);
        }
        site.of_item[number].push_back(access);
    }

    void keep_text(unsigned line) {
        if (line == 0 || line > program->getNumSourceLines() || texts.count({kernel, line}))
            return;
        std::string text = program->getSourceLine(line);
        text.erase(0, text.find_first_not_of(" \t"));
        std::replace(text.begin(), text.end(), '\t', ' ');
        texts[{kernel, line}] = text.substr(0, text.find('\n'));
    }

    void add_site(const Site &site, size_t lanes) {
        Cost &cost = costs[Place(kernel, lanes, site.local, site.store, site.line)];
        for (size_t first = 0; first < site.of_item.size(); first += lanes) {
            const size_t end = std::min(first + lanes, site.of_item.size());
            size_t turns = 0;
            for (size_t i = first; i < end; i++)
                turns = std::max(turns, site.of_item[i].size());
            for (size_t turn = 0; turn < turns; turn++) {
                std::vector<Access> request;
                for (size_t i = first; i < end; i++)
                    if (turn < site.of_item[i].size())
                        request.push_back(site.of_item[i][turn]);
                add_request(site, lanes, request, cost);
            }
        }
    }

    static void add_request(const Site &site, size_t lanes, const std::vector<Access> &request, Cost &cost) {
        for (const Access &a : request)
            cost.misaligned += a.address % site.alignment != 0;
        /* All that is asked for together, the least of it; and piece by piece, what it costs. */
        const size_t size = request[0].size, piece = std::min(size, std::max<size_t>(site.alignment, 1));
        const size_t unit = std::min<size_t>(size, WORD), most = site.local ? WORD * lanes : SECTOR;
        cost.least += (double)((distinct(request, 0, size, unit).size() * unit + most - 1) / most);
        for (size_t from = 0; from < size; from += piece) {
            cost.requests++;
            if (site.local)
                cost.units += deepest(distinct(request, from, piece, WORD), lanes);
            else
                cost.units += (double)distinct(request, from, piece, SECTOR).size();
        }
    }

    /* The blocks of `block` bytes that these accesses touch with their bytes from `from` on, each once. */
    static std::vector<size_t> distinct(const std::vector<Access> &request, size_t from, size_t size,
                                        size_t block) {
        std::vector<size_t> blocks;
        for (const Access &a : request)
            for (size_t b = (a.address + from) / block; b <= (a.address + from + size - 1) / block; b++)
                blocks.push_back(b);
        std::sort(blocks.begin(), blocks.end());
        blocks.erase(std::unique(blocks.begin(), blocks.end()), blocks.end());
        return blocks;
    }

    static double deepest(const std::vector<size_t> &words, size_t banks) {
        std::vector<unsigned> depth(banks);
        for (size_t word : words)
            depth[word % banks]++;
        return *std::max_element(depth.begin(), depth.end());
    }
};

Traffic *plugin;

/* Not every program lets go of its context before it ends. */
void write_at_exit() {
    const char *path = getenv("TURNOUT_TRAFFIC");
    FILE *file = path ? fopen(path, "w") : nullptr;
    if (!file) {
        fputs("traffic_plugin: TURNOUT_TRAFFIC names no file that can be written\n", stderr);
        return;
    }
    plugin->write(file);
    fclose(file);
}

} // namespace

extern "C" void initializePlugins(Context *context) {
    plugin = new Traffic(context);
    context->registerPlugin(plugin);
    atexit(write_at_exit);
}

extern "C" void releasePlugins(Context *) {
    /* kept until the end of the program, when it writes */
}

/* A plugin for Oclgrind: what C leaves undefined, seen in what kernels really execute. A compiler takes it
 * that none of it ever happens, and NVIDIA's makes use of that. Each place is reported once, into Oclgrind's
 * log. Scalars carry a promise not to overflow (nsw), vectors do not: run kernels with LANES=1. */
#include "Context.h"
#include "Kernel.h"
#include "KernelInvocation.h"
#include "Plugin.h"
#include "WorkItem.h"
#include "common.h"

#include <llvm/IR/Function.h>
#include <llvm/IR/Instructions.h>
#include <llvm/IR/Operator.h>

#include <cmath>
#include <set>
#include <string>

using namespace oclgrind;
using llvm::Instruction;
typedef __int128 wide;

namespace {

enum { ARGUMENT_CONST = 1, ARGUMENT_RESTRICT = 2 }; /* CL_KERNEL_ARG_TYPE_CONST, _RESTRICT */

class Undefined : public Plugin {
    std::set<const Instruction *> seen;
    std::set<std::string> kernels; /* whose arguments have been reported */
    std::string
        pending; /* said by the first work-item: before it there is nobody whom a message could name */

  public:
    explicit Undefined(const Context *context) : Plugin(context) {
    }

    bool isThreadSafe() const override { /* `seen` has no lock: Oclgrind then takes one thread */
        return false;
    }

    void kernelBegin(const KernelInvocation *invocation) override {
        same_buffers(invocation->getKernel());
    }

    void instructionExecuted(const WorkItem *item, const Instruction *in, const TypedValue &result) override {
        if (!pending.empty()) {
            m_context->logError(pending.c_str());
            pending.clear();
        }
        switch (in->getOpcode()) {
        case Instruction::Add:
        case Instruction::Sub:
        case Instruction::Mul:
            return arithmetic(item, in);
        case Instruction::Shl:
            arithmetic(item, in);
            return shift(item, in);
        case Instruction::LShr:
        case Instruction::AShr:
            return shift(item, in);
        case Instruction::SDiv:
        case Instruction::SRem:
        case Instruction::UDiv:
        case Instruction::URem:
            return division(item, in);
        case Instruction::FPToSI:
        case Instruction::FPToUI:
            return to_integer(item, in);
        case Instruction::Load:
            return aligned(item, in, llvm::cast<llvm::LoadInst>(in)->getPointerOperand(),
                           llvm::cast<llvm::LoadInst>(in)->getAlign().value());
        case Instruction::Store:
            return aligned(item, in, llvm::cast<llvm::StoreInst>(in)->getPointerOperand(),
                           llvm::cast<llvm::StoreInst>(in)->getAlign().value());
        case Instruction::GetElementPtr:
            return pointer(item, in, result);
        default:
            return;
        }
    }

  private:
    void say(const Instruction *in, const char *what) {
        if (seen.insert(in).second)
            m_context->logError(what);
    }

    static unsigned bits_of(const Instruction *in) {
        return in->getType()->getScalarSizeInBits();
    }

    void arithmetic(const WorkItem *item, const Instruction *in) {
        const unsigned bits = bits_of(in);
        if (bits < 8 || bits > 64 || !llvm::cast<llvm::OverflowingBinaryOperator>(in)->hasNoSignedWrap())
            return;
        const TypedValue a = item->getOperand(in->getOperand(0)), b = item->getOperand(in->getOperand(1));
        const wide most = ((wide)1 << (bits - 1)) - 1;
        for (unsigned i = 0; i < a.num; i++) {
            const wide x = a.getSInt(i), y = b.getSInt(i);
            wide z;
            switch (in->getOpcode()) {
            case Instruction::Add:
                z = x + y;
                break;
            case Instruction::Sub:
                z = x - y;
                break;
            case Instruction::Mul:
                z = x * y;
                break;
            default:
                z = y >= 0 && y < (wide)bits ? x * ((wide)1 << y) : 0;
            }
            if (z > most || z < -most - 1)
                return say(in, "Undefined: signed integer overflow");
        }
    }

    void shift(const WorkItem *item, const Instruction *in) {
        const TypedValue by = item->getOperand(in->getOperand(1));
        for (unsigned i = 0; i < by.num; i++)
            if (by.getUInt(i) >= bits_of(in))
                return say(in, "Undefined: a shift by the width or more");
    }

    void division(const WorkItem *item, const Instruction *in) {
        const TypedValue a = item->getOperand(in->getOperand(0)), b = item->getOperand(in->getOperand(1));
        const bool is_signed = in->getOpcode() == Instruction::SDiv || in->getOpcode() == Instruction::SRem;
        const wide least = -((wide)1 << (bits_of(in) - 1));
        for (unsigned i = 0; i < a.num; i++) {
            if (b.getUInt(i) == 0)
                return say(in, "Undefined: division by zero");
            if (is_signed && b.getSInt(i) == -1 && a.getSInt(i) == least)
                return say(in, "Undefined: a quotient that overflows");
        }
    }

    void to_integer(const WorkItem *item, const Instruction *in) {
        const TypedValue from = item->getOperand(in->getOperand(0));
        const int bits = (int)bits_of(in);
        const bool is_signed = in->getOpcode() == Instruction::FPToSI;
        const double low = is_signed ? -std::ldexp(1.0, bits - 1) : 0.0;
        const double end = std::ldexp(1.0, is_signed ? bits - 1 : bits);
        for (unsigned i = 0; i < from.num; i++) {
            const double x = std::trunc(from.getFloat(i));
            if (!(x >= low && x < end)) /* NaN too */
                return say(in, "Undefined: a float out of the integer's range");
        }
    }

    /* Buffers begin at addresses that are multiples of everything. */
    void aligned(const WorkItem *item, const Instruction *in, const llvm::Value *address,
                 uint64_t alignment) {
        if (alignment > 1 && item->getOperand(address).getPointer() % alignment != 0)
            say(in, "Undefined: an access at an address that is less aligned than its type");
    }

    void pointer(const WorkItem *item, const Instruction *in, const TypedValue &result) {
        const llvm::GetElementPtrInst *at = llvm::cast<llvm::GetElementPtrInst>(in);
        if (at->isInBounds() && result.num == 1 && result.getPointer() != 0 &&
            item->getOperand(at->getPointerOperand()).getPointer() == 0)
            say(in, "Undefined: arithmetic on a null pointer");
    }

    static size_t argument(const Kernel *kernel, unsigned index) {
        const llvm::Function *function = kernel->getFunction();
        const llvm::Argument *wanted = function->getArg(index);
        if (!wanted->getType()->isPointerTy() ||
            kernel->getArgumentAddressQualifier(index) != 0x119B /* global */)
            return 0;
        for (TypedValueMap::const_iterator it = kernel->values_begin(); it != kernel->values_end(); ++it)
            if (it->first == wanted)
                return it->second.getPointer();
        return 0;
    }

    /* restrict: what is written through one argument is reached through no other. */
    void same_buffers(const Kernel *kernel) {
        const unsigned count = kernel->getNumArguments();
        for (unsigned i = 0; i < count; i++) {
            const size_t address = argument(kernel, i);
            if (address == 0 || !(kernel->getArgumentTypeQualifier(i) & ARGUMENT_RESTRICT))
                continue;
            for (unsigned j = 0; j < count; j++) {
                const unsigned both =
                    kernel->getArgumentTypeQualifier(i) & kernel->getArgumentTypeQualifier(j);
                if (j == i || (both & ARGUMENT_CONST) || argument(kernel, j) != address)
                    continue;
                if (kernels.insert(kernel->getName()).second)
                    pending = "Undefined: restrict on a buffer that is two arguments, " + std::to_string(i) +
                              " and " + std::to_string(j);
                return;
            }
        }
    }
};

Undefined *plugin;

} // namespace

extern "C" void initializePlugins(Context *context) {
    plugin = new Undefined(context);
    context->registerPlugin(plugin);
}

extern "C" void releasePlugins(Context *context) {
    context->unregisterPlugin(plugin);
    delete plugin;
}

/* The part of a device's name that an update of its driver leaves as it is. */
#ifndef TN_DEVICE_NAME_H
#define TN_DEVICE_NAME_H

#include <stddef.h>

enum { TN_STABLE_NAME = 256 };

/* Without what drivers put into names: versions of LLVM, Mesa, DRM, Vulkan and the kernel, the width of
 * vectors, the word for the compiler; and without PoCL's word for its driver and for the core it compiles
 * for: "llvmpipe (LLVM 15.0.6, 256 bits)" → "llvmpipe", "AMD Radeon RX 7900 XTX (radeonsi, navi31,
 * LLVM 15.0.6, DRM 3.54, 6.5.0-1)" → "AMD Radeon RX 7900 XTX (navi31)". A name of which nothing would be left
 * stays. */
void tn_device_stable_name(const char *name, char stable[TN_STABLE_NAME]);

#endif

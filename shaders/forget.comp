#version 430 core
// Empties the record of what a box of pixels saw.
layout(local_size_x = 64) in;

#include "item.glsl"
#include "seen.glsl"

void main() {
    uint i = item();
    if (i >= uint(box.z * box.w)) return;
    seen[4u * i] = 0u;
    seen[4u * i + 1u] = 0u;
}

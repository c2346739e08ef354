#version 430 core
// Which pixels of a box see anything, as a list, so that the others need no painting: they are 0 in every plane.
layout(local_size_x = 64) in;

#include "item.glsl"
#include "seen.glsl"

layout(std430, binding = HITS) buffer Hits {
    uint hit_count;
    uint hits[];
};
layout(std430, binding = PLANES) writeonly buffer Planes { uint planes[]; };

void main() {
    uint i = item();
    uint count = uint(box.z * box.w);
    if (i >= count) return;
    if (seen[4u * i + 2u] > 0u) {
        hits[atomicAdd(hit_count, 1u)] = i;
    } else {
        for (uint k = 0u; k < PLANE_COUNT; k++) planes[k * count + i] = 0u;
    }
}

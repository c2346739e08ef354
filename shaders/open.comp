#version 430 core
// How much of the room each vertex sees along one line, looking both ways. The line is the sight of a parallel
// camera, whose nearest surface is what the line sees from here, and whose farthest what it sees from beyond.
layout(local_size_x = 64) in;

#include "item.glsl"
#include "grid.glsl"
#include "seen.glsl"

layout(std430, binding = PLACED) readonly buffer Placed { int placed[]; };
layout(std430, binding = TILTS) readonly buffer Tilts { int tilts[]; };
layout(std430, binding = OPENNESS) buffer Open { float open[]; }; // three sums a vertex: of its outer side, inner side, all

uniform mat3 to_view; // directions of the model, as the camera has them
uniform uint vertex_count;
uniform float pixel; // how wide one is
uniform vec2 bias; // how far behind what it sees a vertex may lie: always, and for each unit of slope
uniform float steepest;

// Whether nothing is in the way to a place of this key: from the near end, and from the far end.
vec2 free_at(ivec2 at, float key, float slack) {
    ivec2 there = at - box.xy;
    if (any(lessThan(there, ivec2(0))) || any(greaterThanEqual(there, box.zw))) return vec2(1.0);
    uint i = seen_at(at);
    uint near = seen[i], far = seen[i + 1u];
    if (near == 0u) return vec2(1.0);
    return vec2(uintBitsToFloat(near) <= key + slack, uintBitsToFloat(~far) >= key - slack);
}

void main() {
    uint i = item();
    if (i >= vertex_count) return;
    vec3 tilt = to_view * vec3(tilts[3u * i], tilts[3u * i + 1u], tilts[3u * i + 2u]);
    float size = length(tilt);
    if (size == 0.0) return;
    vec3 normal = tilt / size;
    ivec2 at = ivec2(placed[3u * i], placed[3u * i + 1u]);
    float key = intBitsToFloat(placed[3u * i + 2u]);
    ivec2 first = (at - SUBPIXELS / 2) >> SUBPIXEL_BITS;
    vec2 away = vec2(centre_of(first) - at) / float(SUBPIXELS); // of the first of four pixels
    vec2 rise = normal.xy / normal.z;
    float slope = length(rise);
    rise *= min(1.0, steepest / max(slope, 1e-9)) * pixel;
    float slack = pixel * (bias.x + bias.y * min(slope, steepest));
    vec2 share = -away;
    float here = key + dot(rise, away);
    vec2 free = (1.0 - share.x) * (1.0 - share.y) * free_at(first, here, slack);
    free += share.x * (1.0 - share.y) * free_at(first + ivec2(1, 0), here + rise.x, slack);
    free += (1.0 - share.x) * share.y * free_at(first + ivec2(0, 1), here + rise.y, slack);
    free += share.x * share.y * free_at(first + ivec2(1, 1), here + rise.x + rise.y, slack);
    free = normal.z < 0.0 ? free : free.yx;
    float weight = abs(normal.z);
    open[3u * i] += weight * free.x;
    open[3u * i + 1u] += weight * free.y;
    open[3u * i + 2u] += weight;
}

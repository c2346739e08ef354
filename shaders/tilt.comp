#version 430 core
// Each face adds its unit normal to its corners' sums, weighted by the angle that it has there. Whole numbers
// add up to the same in any order.
layout(local_size_x = 64) in;

#include "item.glsl"

layout(std430, binding = VERTICES) readonly buffer Vertices { float vertices[]; };
layout(std430, binding = FACES) readonly buffer Faces { uint corners[]; };
layout(std430, binding = TILTS) coherent buffer Tilts { int tilts[]; };

uniform uint face_count;

const float PARTS = 16777216.0; // of a radian: 128 radians meet in a vertex before the sum overflows

vec3 vertex(uint i) {
    return vec3(vertices[3u * i], vertices[3u * i + 1u], vertices[3u * i + 2u]);
}

// The angle between two sides, exact for narrow ones too.
float angle(vec3 one, vec3 other) {
    return atan(length(cross(one, other)), dot(one, other));
}

void add(uint i, vec3 tilt) {
    ivec3 whole = ivec3(round(tilt * PARTS));
    atomicAdd(tilts[3u * i], whole.x);
    atomicAdd(tilts[3u * i + 1u], whole.y);
    atomicAdd(tilts[3u * i + 2u], whole.z);
}

void main() {
    uint face = item();
    if (face >= face_count) return;
    uvec3 which = uvec3(corners[3u * face], corners[3u * face + 1u], corners[3u * face + 2u]);
    vec3 a = vertex(which.x), b = vertex(which.y), c = vertex(which.z);
    float scale = 1.0 / max(max(distance(a, b), distance(b, c)), max(distance(a, c), 1e-30));
    vec3 ab = (b - a) * scale, bc = (c - b) * scale, ca = (a - c) * scale;
    vec3 normal = cross(ab, bc);
    float size = length(normal);
    if (!(size > 0.0)) return;
    normal /= size;
    add(which.x, normal * angle(ab, -ca));
    add(which.y, normal * angle(bc, -ab));
    add(which.z, normal * angle(ca, -bc));
}

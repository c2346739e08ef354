#version 430 core
// Each face adds its unit normal to its corners' sums, weighted by its area, for slivers, which scans are full of,
// look anywhere. Whole numbers add up to the same in any order.
layout(local_size_x = 64) in;

#include "item.glsl"

layout(std430, binding = VERTICES) readonly buffer Vertices { float vertices[]; };
layout(std430, binding = FACES) readonly buffer Faces { uint corners[]; };
layout(std430, binding = TILTS) coherent buffer Tilts { int tilts[]; };

uniform uint face_count;
uniform float usual; // twice the area of a face as most are

const float MOST = 16.0; // what a larger face counts, so that the sums below have room
const float PARTS = 262144.0; // a face's weight in whole numbers; 512 of the largest meet before a sum overflows

vec3 vertex(uint i) {
    return vec3(vertices[3u * i], vertices[3u * i + 1u], vertices[3u * i + 2u]);
}

void add(uint i, ivec3 tilt) {
    atomicAdd(tilts[3u * i], tilt.x);
    atomicAdd(tilts[3u * i + 1u], tilt.y);
    atomicAdd(tilts[3u * i + 2u], tilt.z);
}

void main() {
    uint face = item();
    if (face >= face_count) return;
    uvec3 which = uvec3(corners[3u * face], corners[3u * face + 1u], corners[3u * face + 2u]);
    vec3 a = vertex(which.x);
    vec3 normal = cross(vertex(which.y) - a, vertex(which.z) - a) / usual;
    float size = length(normal);
    if (!(size > 0.0)) return;
    ivec3 tilt = ivec3(round(normal * (min(size, MOST) / size * PARTS)));
    add(which.x, tilt);
    add(which.y, tilt);
    add(which.z, tilt);
}

#version 430 core
// Where each vertex falls in the picture, and the box that holds them all.
layout(local_size_x = 64) in;

#include "item.glsl"
#include "lens.glsl"
#include "grid.glsl"

layout(std430, binding = VERTICES) readonly buffer Vertices { float vertices[]; };
layout(std430, binding = PLACED) writeonly buffer Placed { int placed[]; };
layout(std430, binding = EXTENT) coherent buffer Extent { ivec2 low; ivec2 high; };

uniform mat4 to_camera;
uniform uint vertex_count;
uniform uint stride; // an invocation takes every so many-th vertex, so that few meet at the box
uniform float nearest; // what lies nearer than this has no place
uniform float farthest;

void main() {
    ivec2 least = ivec2(1 << 30);
    ivec2 most = -least;
    for (uint i = item(); i < vertex_count; i += stride) {
        vec4 vertex = vec4(vertices[3u * i], vertices[3u * i + 1u], vertices[3u * i + 2u], 1.0);
        vec3 place = (to_camera * vertex).xyz;
        ivec2 at = ivec2(0);
        float key = 0.0;
        if (place.z > nearest) {
            at = ivec2(floor(pixel_of(place) * float(SUBPIXELS) + 0.5));
            key = parallel ? farthest - place.z : 1.0 / place.z;
            least = min(least, at);
            most = max(most, at);
        }
        placed[3u * i] = at.x;
        placed[3u * i + 1u] = at.y;
        placed[3u * i + 2u] = floatBitsToInt(key);
    }
    atomicMin(low.x, least.x);
    atomicMin(low.y, least.y);
    atomicMax(high.x, most.x);
    atomicMax(high.y, most.y);
}

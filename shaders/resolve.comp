#version 430 core
// What is to be seen in the pixels of a list, on the nearest and on the farthest face that their rays meet.
layout(local_size_x = 64) in;

#include "item.glsl"
#include "lens.glsl"
#include "seen.glsl"
#include "face.glsl"
#include "paint.glsl"
#include "srgb.glsl"
#include "light.glsl"

layout(std430, binding = TILTS) readonly buffer Tilts { int tilts[]; };
#if OPEN
layout(std430, binding = OPENNESS) readonly buffer Openness { float openness[]; };
#endif
layout(std430, binding = HITS) readonly buffer Hits {
    uint hit_count;
    uint hits[];
};
layout(std430, binding = PLANES) writeonly buffer Planes { uint planes[]; };

uniform int which; // only faces of this texture are painted; -1 = those that have none, and all that is not paint
uniform bool last; // nothing more will be asked of this box
uniform vec3 coding; // of 16-bit depth: the length that is in the middle, steps a unit, the middle's code
uniform mat3 to_world; // directions of the model in the world
uniform mat3 to_viewer; // and as x right, y up, z towards the camera

const float NORMAL_CODES = 65535.0;

uint pixel_index;

void put(int plane, uint value) {
    planes[uint(plane) * uint(box.z * box.w) + pixel_index] = value;
}

void put(int plane, vec3 value) {
    put(plane, floatBitsToUint(value.x));
    put(plane + 1, floatBitsToUint(value.y));
    put(plane + 2, floatBitsToUint(value.z));
}

vec3 unit(vec3 v) {
    float size = length(v);
    return size > 0.0 ? v / size : vec3(0.0);
}

vec3 tilt(uint i) {
    return vec3(tilts[3u * i], tilts[3u * i + 1u], tilts[3u * i + 2u]);
}

// The unit normal of a place, in the model; on the nearest face it looks at the camera, on the farthest away.
vec3 normal_at(Face face, vec3 weights, Ray ray, int side) {
    vec3 level = cross(face.b - face.a, face.c - face.a);
    float way = dot(level, ray.along) > 0.0 == (side == 1) ? 1.0 : -1.0;
    vec3 sum = mixed(weights, unit(tilt(face.corners.x)), unit(tilt(face.corners.y)), unit(tilt(face.corners.z)));
    return way * unit(sum == vec3(0.0) ? transpose(mat3(to_camera)) * level : sum);
}

uint depth_code(float ray_length) {
    return uint(clamp(roundEven((ray_length - coding.x) * coding.y + coding.z), 1.0, 65535.0));
}

void put_shape(int side, float ray_length, vec3 normal) {
    if (MASK_PLANE(side) >= 0) put(MASK_PLANE(side), 255u);
    if (DEPTH_PLANE(side) >= 0) put(DEPTH_PLANE(side), depth_code(ray_length));
    if (LENGTH_PLANE(side) >= 0) put(LENGTH_PLANE(side), floatBitsToUint(ray_length));
    vec3 seen_normal = to_viewer * normal;
    if (DIRECTION_PLANE(side) >= 0) put(DIRECTION_PLANE(side), seen_normal);
    if (NORMAL_PLANE(side) >= 0) {
        uvec3 code = uvec3(round((seen_normal + 1.0) / 2.0 * NORMAL_CODES));
        put(NORMAL_PLANE(side), code.x | code.y << 16);
        put(NORMAL_PLANE(side) + 1, code.z);
    }
}

void put_paint(int side, vec3 paint, vec3 normal, float open_to_light) {
    if (COLOR_PLANE(side) >= 0) put(COLOR_PLANE(side), packUnorm4x8(vec4(paint, 1.0)));
    if (SHADED_PLANE(side) >= 0) {
        vec3 shade = to_srgb(to_linear(paint) * received(to_world * normal, open_to_light));
        put(SHADED_PLANE(side), packUnorm4x8(vec4(shade, 1.0)));
    }
}

float open_at(Face face, vec3 weights) {
#if OPEN
    return dot(weights, vec3(openness[face.corners.x], openness[face.corners.y], openness[face.corners.z]));
#else
    return 1.0;
#endif
}

void resolve(int side, uint index, vec2 centre) {
    bool painted = texture_of(index) == which;
    bool shaped = which < 0;
    if (!painted && !shaped) return;
    Face face = face_of(index);
    Ray ray = ray_through(centre);
    vec3 weights = hold(meet(ray, face), ray, face);
    vec3 normal = vec3(0.0);
    if (NORMAL_PLANE(side) >= 0 || DIRECTION_PLANE(side) >= 0 || SHADED_PLANE(side) >= 0) {
        normal = normal_at(face, weights, ray, side);
    }
    if (shaped) put_shape(side, length_to(mixed(weights, face.a, face.b, face.c)), normal);
    if (!painted || COLOR_PLANE(side) < 0 && SHADED_PLANE(side) < 0) return;
    vec3 paint;
#if TEXTURED
    if (which >= 0) {
        vec3 right = meet(ray_through(centre + vec2(1.0, 0.0)), face);
        vec3 below = meet(ray_through(centre + vec2(0.0, 1.0)), face);
        paint = texture_paint(index, weights, right, below);
    } else
#endif
        paint = corner_paint(face.corners, weights);
    put_paint(side, paint, normal, open_at(face, weights));
}

void main() {
    if (item() >= hit_count) return;
    pixel_index = hits[item()];
    ivec2 pixel = box.xy + ivec2(int(pixel_index) % box.z, int(pixel_index) / box.z);
    uint at = seen_at(pixel);
    vec2 centre = vec2(pixel) + 0.5;
    // One after the other and not in a loop, so that the compiler knows the side and drops what nobody asked for.
    resolve(0, seen[at + 2u] - 1u, centre);
    resolve(1, seen[at + 3u] - 1u, centre);
    if (last) {
        for (uint k = 0u; k < 4u; k++) seen[at + k] = 0u;
    }
}

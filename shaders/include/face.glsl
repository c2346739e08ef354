// A face in space, and where a ray meets it.
layout(std430, binding = VERTICES) readonly buffer Vertices { float vertices[]; };
layout(std430, binding = FACES) readonly buffer Faces { uint corners[]; };

uniform mat4 to_camera;

struct Face {
    uvec3 corners;
    vec3 a, b, c;
};

vec3 vertex(uint i) {
    return (to_camera * vec4(vertices[3u * i], vertices[3u * i + 1u], vertices[3u * i + 2u], 1.0)).xyz;
}

Face face_of(uint i) {
    uvec3 of = uvec3(corners[3u * i], corners[3u * i + 1u], corners[3u * i + 2u]);
    return Face(of, vertex(of.x), vertex(of.y), vertex(of.z));
}

// The weights of the corners in the place where a ray meets the plane of a face.
vec3 meet(Ray ray, Face face) {
    vec3 ab = face.b - face.a, ac = face.c - face.a;
    vec3 across = cross(ray.along, ac);
    vec3 from = ray.start - face.a;
    vec2 weights = vec2(dot(from, across), dot(ray.along, cross(from, ab))) / dot(ab, across);
    return vec3(1.0 - weights.x - weights.y, weights);
}

// The same, held to the face: a ray that sub-pixels brought to it may pass its edge by a little.
vec3 hold(vec3 weights) {
    vec3 held = max(weights, 0.0);
    float sum = held.x + held.y + held.z;
    return sum > 0.0 && sum < 1e30 ? held / sum : vec3(1.0 / 3.0);
}

vec3 mixed(vec3 weights, vec3 a, vec3 b, vec3 c) {
    return weights.x * a + weights.y * b + weights.z * c;
}

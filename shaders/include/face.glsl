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

// How far along a side, from p by d, a ray through 0 across which both lie comes nearest, and how near, squared.
vec2 nearest_on(vec3 p, vec3 d) {
    float share = clamp(-dot(p, d) / max(dot(d, d), 1e-30), 0.0, 1.0);
    vec3 q = p + share * d;
    return vec2(share, dot(q, q));
}

// The same, held to the face: a ray that sub-pixels brought to it may pass it by a little, and then it is where
// the ray comes nearest to a side.
vec3 hold(vec3 weights, Ray ray, Face face) {
    if (min(weights.y, weights.z) >= 0.0 && weights.y + weights.z <= 1.0) return weights;
    vec3 along = normalize(ray.along);
    vec3 a = face.a - ray.start, b = face.b - ray.start, c = face.c - ray.start;
    a -= along * dot(a, along);
    b -= along * dot(b, along);
    c -= along * dot(c, along);
    vec2 ab = nearest_on(a, b - a), bc = nearest_on(b, c - b), ca = nearest_on(c, a - c);
    if (ab.y <= min(bc.y, ca.y)) return vec3(1.0 - ab.x, ab.x, 0.0);
    return bc.y <= ca.y ? vec3(0.0, 1.0 - bc.x, bc.x) : vec3(ca.x, 0.0, 1.0 - ca.x);
}

vec3 mixed(vec3 weights, vec3 a, vec3 b, vec3 c) {
    return weights.x * a + weights.y * b + weights.z * c;
}

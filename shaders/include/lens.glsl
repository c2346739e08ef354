// The camera: x right, y down, z ahead. A parallel one looks along z from every place of its plane.
uniform vec4 lens; // pixels a unit at distance 1 across and down, and the pixel straight ahead
uniform bool parallel;

struct Ray {
    vec3 start;
    vec3 along;
};

Ray ray_through(vec2 pixel) {
    vec2 slope = (pixel - lens.zw) / lens.xy;
    return parallel ? Ray(vec3(slope, 0.0), vec3(0.0, 0.0, 1.0)) : Ray(vec3(0.0), vec3(slope, 1.0));
}

vec2 pixel_of(vec3 place) {
    return lens.xy * (parallel ? place.xy : place.xy / place.z) + lens.zw;
}

float length_to(vec3 place) {
    return parallel ? place.z : length(place);
}

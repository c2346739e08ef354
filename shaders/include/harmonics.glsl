// What a body facing along a unit normal receives: nine spherical harmonics, without their constants.
vec3 irradiance(vec3 n, vec3 light[9]) {
    vec3 sum = light[0] + light[1] * n.y + light[2] * n.z + light[3] * n.x;
    sum += light[4] * (n.x * n.y) + light[5] * (n.y * n.z) + light[6] * (3.0 * n.z * n.z - 1.0);
    sum += light[7] * (n.x * n.z) + light[8] * (n.x * n.x - n.y * n.y);
    return max(sum, 0.0);
}

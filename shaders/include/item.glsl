// Which item of a long list this invocation is for. Work groups stand in rows, for a row has a limit.
uint item() {
    uint group = gl_WorkGroupID.y * gl_NumWorkGroups.x + gl_WorkGroupID.x;
    return group * gl_WorkGroupSize.x + gl_LocalInvocationID.x;
}
